// Convolutions forward and their data gradients; compiled once for each instruction set.
#ifndef MXCY_ISA
#define MXCY_ISA base
#endif
#include "convolution.hpp"

#include "direct.hpp"
#include "grouped.hpp"
#include "phases.hpp"
#include "winograd.hpp"

namespace mxcy {
namespace MXCY_ISA {
namespace {

template <class T>
TapProduct<T> forward_product(const ConvolutionParams& p, const T* weight, const T* bias, T* out) {
  TapProduct<T> product;
  product.images = p.images, product.groups = p.groups;
  product.channels = p.channels, product.rows = p.filters;
  std::copy_n(p.out, 3, product.grid);
  product.weight = weight;
  product.weight_channel = volume(p.kernel);
  product.weight_row = p.channels * volume(p.kernel);
  product.weight_group = p.filters * product.weight_row;
  product.out = out;
  product.out_row = volume(p.out);
  product.out_image = p.groups * p.filters * product.out_row;
  product.out_step[0] = p.out[1] * p.out[2], product.out_step[1] = p.out[2], product.out_step[2] = 1;
  product.bias = bias;
  product.relu = p.relu;
  return product;
}

template <class T>
int forward(KernelContext& context) {
  const ConvolutionParams& p = *static_cast<const ConvolutionParams*>(context.params);
  const T* x = reinterpret_cast<const T*>(context.inputs[0].data);
  const T* weight = reinterpret_cast<const T*>(context.inputs[1].data);
  const T* bias = context.n_inputs > 2 ? reinterpret_cast<const T*>(context.inputs[2].data) : nullptr;
  TapProduct<T> product = forward_product(p, weight, bias, reinterpret_cast<T*>(context.outputs[0].data));
  return with_planes(
      context, p, x,
      [&](const Planes<T>& planes, const std::vector<Tap>& taps, int64_t first, int64_t count) {
        TapProduct<T> some = product;
        some.input = planes;
        some.taps = taps;
        some.images = count;
        some.out += first * product.out_image;
        return run_product(context, some);
      });
}

template <class T>
int data_gradient(KernelContext& context) {
  const ConvolutionParams& p = *static_cast<const ConvolutionParams*>(context.params);
  TapProduct<T> product;
  product.input.data = reinterpret_cast<const T*>(context.inputs[0].data);
  product.input.channel = volume(p.out);
  product.input.image = p.groups * p.filters * product.input.channel;
  product.input.size = p.images * product.input.image;
  std::copy_n(p.out, 3, product.input.extent);
  product.images = p.images, product.groups = p.groups;
  product.channels = p.filters, product.rows = p.channels;
  product.weight = reinterpret_cast<const T*>(context.inputs[1].data);
  product.weight_row = volume(p.kernel);
  product.weight_channel = p.channels * product.weight_row;
  product.weight_group = p.filters * product.weight_channel;
  product.out = reinterpret_cast<T*>(context.outputs[0].data);
  product.out_row = volume(p.in);
  product.out_image = p.groups * p.channels * product.out_row;
  product.bias = context.n_inputs > 2 ? reinterpret_cast<const T*>(context.inputs[2].data) : nullptr;
  product.relu = p.relu;
  T* first = product.out;
  for (int64_t phase = 0; phase < volume(p.stride); ++phase) {
    product.out = first;
    place_phase(p, phase, product.grid, product.out_step, product.out);
    product.taps = gradient_taps(p, phase);
    if (int code = run_product(context, product)) return code;
  }
  return 0;
}

}  // namespace

int convolution_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  const ConvolutionParams& p = *static_cast<const ConvolutionParams*>(context.params);
  if (has_small_groups(p)) return grouped_forward(context, p);
  if (uses_winograd(context, PASS_FORWARD)) return winograd_forward(context, p, false);
  return context.outputs[0].dtype == FLOAT64 ? forward<double>(context) : forward<float>(context);
}

int convolution_data_gradient_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  const ConvolutionParams& p = *static_cast<const ConvolutionParams*>(context.params);
  if (has_small_groups(p)) return grouped_data_gradient(context, p);
  if (uses_winograd(context, PASS_DATA)) return winograd_forward(context, p, true);
  return context.outputs[0].dtype == FLOAT64 ? data_gradient<double>(context) : data_gradient<float>(context);
}

}  // namespace MXCY_ISA
}  // namespace mxcy
