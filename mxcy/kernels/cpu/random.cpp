// Fills from Philox; compiled once for each instruction set.  See random.hpp.
#if defined(__clang__)
#pragma clang fp contract(off)
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif
#ifndef MXCY_ISA
#define MXCY_ISA base
#endif
#include "random.hpp"

#include <algorithm>
#include <cmath>
#include "casts.hpp"
#include "launch.hpp"
#include "philox.hpp"

namespace mxcy {
namespace MXCY_ISA {
namespace {

constexpr int GROUP = 16;          // blocks computed side by side
constexpr int WORDS = 4 * GROUP;
constexpr int64_t GROUPS_PER_PIECE = 256;

void group_words(const RandomParams& p, uint64_t group, uint32_t (*words)[GROUP]) {
  for (int i = 0; i < GROUP; ++i) {
    uint64_t block = group * GROUP + i;
    words[0][i] = uint32_t(block);
    words[1][i] = uint32_t(block >> 32);
    words[2][i] = uint32_t(p.stream);
    words[3][i] = uint32_t(p.stream >> 32);
  }
  philox<GROUP>(words, uint32_t(p.seed), uint32_t(p.seed >> 32));
}

template <class T> struct Bits;
template <> struct Bits<float> {
  using Word = uint32_t;
  using Signed = int32_t;
  static constexpr int mantissa = 23, bias = 127, log_terms = 4, sine_terms = 4;
  static constexpr float ulp = 0x1p-32f, fraction = 0x1p-24f, angle = 1.46291807926715968e-9f;  // 2 pi / 2^32
  static constexpr int drop = 8;
  static constexpr uint32_t root_half = 0x3f3504f3;
};
template <> struct Bits<double> {
  using Word = uint64_t;
  using Signed = int64_t;
  static constexpr int mantissa = 52, bias = 1023, log_terms = 10, sine_terms = 8;
  static constexpr double ulp = 0x1p-64, fraction = 0x1p-53, angle = 3.40612158008655460e-19;  // 2 pi / 2^64
  static constexpr int drop = 11;
  static constexpr uint64_t root_half = 0x3fe6a09e667f3bcd;
};

template <class T, class From>
inline T reinterpret(From value) {
  T result;
  static_assert(sizeof result == sizeof value, "same size");
  std::memcpy(&result, &value, sizeof result);
  return result;
}

// log of a positive normal number: 2 artanh((m - 1) / (m + 1)) for m in [1/sqrt 2, sqrt 2).
template <class T>
inline T logarithm(T x) {
  using B = Bits<T>;
  using Word = typename B::Word;
  const Word shifted = reinterpret<Word>(x) - B::root_half;
  const T exponent = T(reinterpret<typename B::Signed>(shifted) >> B::mantissa);
  const T m = reinterpret<T>((shifted & ((Word(1) << B::mantissa) - 1)) + B::root_half);
  const T s = (m - 1) / (m + 1), z = s * s;
  T sum = T(1) / (2 * B::log_terms + 1);
  for (int k = B::log_terms - 1; k >= 0; --k) sum = sum * z + T(1) / (2 * k + 1);
  return exponent * T(0.693147180559945309417) + 2 * s * sum;
}

// sin and cos of 2 pi w / 2^bits, exactly reduced to an eighth of a turn.
template <class T>
inline void sine_cosine(typename Bits<T>::Word w, T& sine, T& cosine) {
  using B = Bits<T>;
  using Word = typename B::Word;
  constexpr int bits = 8 * sizeof(Word);
  const Word quadrant = (w + (Word(1) << (bits - 3))) >> (bits - 2);
  const T x = T(reinterpret<typename B::Signed>(w - (quadrant << (bits - 2)))) * B::angle, z = x * x;
  T s = 1, c = 1;
  for (int k = B::sine_terms; k > 0; --k) {
    s = 1 - s * z * (T(1) / T(2 * k * (2 * k + 1)));
    c = 1 - c * z * (T(1) / T((2 * k + 1) * (2 * k + 2)));
  }
  s *= x;
  c = 1 - c * z / 2;
  const T first = quadrant & 1 ? c : s, second = quadrant & 1 ? s : c;
  sine = quadrant & 2 ? -first : first;
  cosine = (quadrant + 1) & 2 ? -second : second;
}

// The group's words as N integers of T's width: for double words 0 and 1 of a block, then 2 and 3.
template <class T>
constexpr int PER_GROUP = WORDS * 4 / sizeof(T);

template <class Word>
inline Word wide_word(const uint32_t (*words)[GROUP], int row, int i) {
  if constexpr (sizeof(Word) == 4) return words[row][i];
  else return uint64_t(words[2 * row][i]) << 32 | words[2 * row + 1][i];
}

template <class T>
void uniform(const RandomParams& p, const uint32_t (*words)[GROUP], T* out) {
  using B = Bits<T>;
  const T low = T(p.a), range = T(p.b - p.a), below = T(p.below);
  for (int row = 0; row < PER_GROUP<T> / GROUP; ++row) {
    for (int i = 0; i < GROUP; ++i) {
      T unit = T(typename B::Signed(wide_word<typename B::Word>(words, row, i) >> B::drop)) * B::fraction;
      T value = low + range * unit;
      out[row * GROUP + i] = value < below ? value : below;
    }
  }
}

// A number in (0, 1] from all bits of a word.
template <class T>
inline T positive_unit(typename Bits<T>::Word w) {
  using Signed = typename Bits<T>::Signed;
  T half = T(Signed(w >> 1));  // signed conversions have vector instructions everywhere
  return (2 * half + T(Signed(w & 1)) + T(0.5)) * Bits<T>::ulp;
}

template <class T>
void normal(const RandomParams& p, const uint32_t (*words)[GROUP], T* out) {
  using Word = typename Bits<T>::Word;
  const T mean = T(p.a), deviation = T(p.b);
  for (int row = 0; row < PER_GROUP<T> / GROUP; row += 2) {
    for (int i = 0; i < GROUP; ++i) {
      T radius = std::sqrt(-2 * logarithm<T>(positive_unit<T>(wide_word<Word>(words, row, i)))), sine, cosine;
      sine_cosine<T>(wide_word<Word>(words, row + 1, i), sine, cosine);
      out[row * GROUP + i] = mean + deviation * (radius * cosine);
      out[(row + 1) * GROUP + i] = mean + deviation * (radius * sine);
    }
  }
}

template <class T>
void exponential(const RandomParams& p, const uint32_t (*words)[GROUP], T* out) {
  using Word = typename Bits<T>::Word;
  for (int row = 0; row < PER_GROUP<T> / GROUP; ++row) {
    for (int i = 0; i < GROUP; ++i) {
      out[row * GROUP + i] = -T(p.a) * logarithm<T>(positive_unit<T>(wide_word<Word>(words, row, i)));
    }
  }
}

void bernoulli(const RandomParams& p, const uint32_t (*words)[GROUP], float* out) {
  const float value = float(p.a);
  if (p.limit >> 32) {
    std::fill_n(out, WORDS, value);
    return;
  }
  const uint32_t limit = uint32_t(p.limit);
  for (int k = 0; k < WORDS; ++k) out[k] = words[k / GROUP][k % GROUP] < limit ? value : 0.0f;
}

// The upper half of a 64 by 64 bit product: a bias of at most limit / 2^64.
void integers(const RandomParams& p, const uint32_t (*words)[GROUP], int64_t* out) {
  for (int k = 0; k < WORDS / 2; ++k) {
    uint64_t w = wide_word<uint64_t>(words, k / GROUP, k % GROUP);
    uint64_t offset = p.limit ? uint64_t((unsigned __int128)w * p.limit >> 64) : w;
    out[k] = int64_t(uint64_t(p.first) + offset);
  }
}

template <class T>
int fill(KernelContext& context, uint8_t code,
         void (*make)(const RandomParams&, const uint32_t (*)[GROUP], T*)) {
  const RandomParams& params = *static_cast<const RandomParams*>(context.params);
  const Tensor& out = context.outputs[0];
  constexpr int per_group = PER_GROUP<T>;
  const int64_t item = ITEMSIZE[out.dtype];
  const CastLoop store = cast_loop(code, out.dtype);
  auto body = [&](int64_t begin, int64_t end) {
    uint32_t words[4][GROUP];
    alignas(64) T values[per_group];
    for (int64_t group = begin; group < end; ++group) {
      group_words(params, uint64_t(group), words);
      make(params, words, values);
      const int64_t at = group * per_group;
      char* args[2] = {reinterpret_cast<char*>(values), out.data + at * item};
      const intptr_t n = std::min<int64_t>(per_group, out.size - at), steps[2] = {sizeof(T), intptr_t(item)};
      store(args, &n, steps, nullptr);
    }
    return 0;
  };
  return parallel(context, (out.size + per_group - 1) / per_group, GROUPS_PER_PIECE, body);
}

}  // namespace

void philox_block(const uint32_t* counter, const uint32_t* key, uint32_t* words) {
  uint32_t x[4][1] = {{counter[0]}, {counter[1]}, {counter[2]}, {counter[3]}};
  philox<1>(x, key[0], key[1]);
  for (int i = 0; i < 4; ++i) words[i] = x[i][0];
}

int random_kernel(KernelContext& context) {
  const RandomParams& params = *static_cast<const RandomParams*>(context.params);
  const bool in_double = context.outputs[0].dtype == FLOAT64;
  switch (params.distribution) {
    case UNIFORM:
      return in_double ? fill(context, FLOAT64, uniform<double>) : fill(context, FLOAT32, uniform<float>);
    case NORMAL:
      return in_double ? fill(context, FLOAT64, normal<double>) : fill(context, FLOAT32, normal<float>);
    case EXPONENTIAL:
      return in_double ? fill(context, FLOAT64, exponential<double>)
                       : fill(context, FLOAT32, exponential<float>);
    case BERNOULLI: return fill(context, FLOAT32, bernoulli);
    default: return fill(context, INT64, integers);
  }
}

}  // namespace MXCY_ISA
}  // namespace mxcy
