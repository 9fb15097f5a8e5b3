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
  product.out_row = p.halved ? volume(p.out) / 4 : volume(p.out);
  product.out_image = p.groups * p.filters * product.out_row;
  product.out_step[0] = p.out[1] * p.out[2], product.out_step[1] = p.out[2], product.out_step[2] = 1;
  product.bias = bias;
  product.relu = p.relu;
  product.packed = p.packed;
  product.halved = p.halved;
  product.finisher = p.finisher;
  return product;
}

// Runs products that are complete but for what they read and its taps, some images at a time.
template <class T>
int run_forward(KernelContext& context, const ConvolutionParams& p, std::vector<TapProduct<T>> products) {
  const T* x = reinterpret_cast<const T*>(context.inputs[0].data);
  const std::vector<TapProduct<T>> whole = products;
  return with_planes(
      context, p, x,
      [&](const Planes<T>& planes, const std::vector<Tap>& taps, int64_t first, int64_t count) {
        for (size_t i = 0; i < products.size(); ++i) {
          products[i].input = planes;
          products[i].taps = taps;
          products[i].images = count;
          const int64_t at = first * products[i].out_image;
          products[i].out = whole[i].out + at;
          if (whole[i].other) products[i].other = whole[i].other + at;
          products[i].finished = first * products[i].groups * products[i].rows;
        }
        return run_products(context, products);
      });
}

template <class T>
int forward(KernelContext& context) {
  const ConvolutionParams& p = *static_cast<const ConvolutionParams*>(context.params);
  const T* weight = reinterpret_cast<const T*>(context.inputs[1].data);
  const int last = context.n_inputs - 1;
  const T* bias = context.n_inputs - p.sums > 2 ? reinterpret_cast<const T*>(context.inputs[2].data) : nullptr;
  auto product = forward_product(p, weight, bias, reinterpret_cast<T*>(context.outputs[0].data));
  if (p.sums) product.other = reinterpret_cast<const T*>(context.inputs[last].data);
  return run_forward<T>(context, p, {product});
}

template <class T>
int forward_together(KernelContext& context) {
  const ConvolutionsParams& all = *static_cast<const ConvolutionsParams*>(context.params);
  std::vector<TapProduct<T>> products;
  for (int i = 0; i < all.count; ++i) {
    ConvolutionParams p = all.common;
    p.filters = all.filters[i], p.relu = all.relu[i];
    const T* weight = reinterpret_cast<const T*>(context.inputs[1 + i].data);
    const T* bias =
        all.with_bias ? reinterpret_cast<const T*>(context.inputs[1 + all.count + i].data) : nullptr;
    products.push_back(forward_product(p, weight, bias, reinterpret_cast<T*>(context.outputs[i].data)));
  }
  return run_forward(context, all.common, std::move(products));
}

template <class T>
int pack(KernelContext& context) {
  const ConvolutionParams& p = *static_cast<const ConvolutionParams*>(context.params);
  TapProduct<T> product =
      forward_product<T>(p, reinterpret_cast<const T*>(context.inputs[0].data), nullptr, nullptr);
  product.taps = Phases(p).taps;
  return pack_weight(context, product, Cut<T>(product), reinterpret_cast<T*>(context.outputs[0].data));
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
    if (int code = run_products<T>(context, {product})) return code;
  }
  return 0;
}

}  // namespace

bool convolution_by_products(const ConvolutionParams& p, uint8_t dtype) {
  return !has_small_groups(p) && !uses_winograd(p, dtype, PASS_FORWARD);
}

bool convolution_sums_in_place(const ConvolutionParams& p, uint8_t dtype) {
  if (!p.packed && !convolution_by_products(p, dtype)) return false;
  const auto at_once = [&](auto zero) {
    auto product = forward_product<decltype(zero)>(p, nullptr, nullptr, nullptr);
    product.taps = Phases(p).taps;
    return Cut<decltype(zero)>(product).k_blocks <= 1;
  };
  return dtype == FLOAT64 ? at_once(double()) : at_once(float());
}

bool convolution_halves(const ConvolutionParams& p, uint8_t dtype) {
  if (has_small_groups(p) || p.in[0] != 1 || p.kernel[0] != 1 || p.channels == 0) return false;
  if (!p.packed && uses_winograd(p, dtype, PASS_FORWARD)) return true;
  const auto cuts = [&](auto zero) {
    auto product = forward_product<decltype(zero)>(p, nullptr, nullptr, nullptr);
    product.taps = Phases(p).taps;
    product.halved = false;
    return Cut<decltype(zero)>(product).halving_panels(product) > 0;
  };
  return dtype == FLOAT64 ? cuts(double()) : cuts(float());
}

int convolution_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  const ConvolutionParams& p = *static_cast<const ConvolutionParams*>(context.params);
  const uint8_t dtype = context.outputs[0].dtype;
  if (!p.packed) {
    if (has_small_groups(p)) return grouped_forward(context, p);
    if (uses_winograd(p, dtype, PASS_FORWARD)) return winograd_forward(context, p, false);
  }
  return dtype == FLOAT64 ? forward<double>(context) : forward<float>(context);
}

int convolutions_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? forward_together<double>(context)
                                             : forward_together<float>(context);
}

int convolution_pack_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? pack<double>(context) : pack<float>(context);
}

int convolution_data_gradient_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  const ConvolutionParams& p = *static_cast<const ConvolutionParams*>(context.params);
  if (has_small_groups(p)) return grouped_data_gradient(context, p);
  if (uses_winograd(p, context.outputs[0].dtype, PASS_DATA)) return winograd_forward(context, p, true);
  return context.outputs[0].dtype == FLOAT64 ? data_gradient<double>(context) : data_gradient<float>(context);
}

}  // namespace MXCY_ISA
}  // namespace mxcy
