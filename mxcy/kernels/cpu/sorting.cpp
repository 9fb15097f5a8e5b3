#include "sorting.hpp"

#include <complex>
#include <type_traits>
#include "runs.hpp"

namespace mxcy {
namespace {

// Elements become unsigned integers of the same order; a stable sort of those serves all types.
template <class Key> struct Entry {
  Key key;
  int64_t position;
};

struct PairKey {
  uint64_t first, second;
  bool operator<(const PairKey& other) const {
    return first != other.first ? first < other.first : second < other.second;
  }
  bool operator==(const PairKey& other) const { return first == other.first && second == other.second; }
};

template <class Word>
Word float_key(Word bits, Word infinity) {
  constexpr Word sign = Word(1) << (8 * sizeof(Word) - 1);
  const Word magnitude = bits & Word(~sign);
  if (magnitude > infinity) return Word(~Word(0));
  if (magnitude == 0) return sign;  // both zeros are equal
  return bits & sign ? Word(~bits) : Word(bits | sign);
}

template <uint8_t dtype, class Word>
Word key_of(const char* p) {
  constexpr Word sign = Word(1) << (8 * sizeof(Word) - 1);
  Word bits;
  std::memcpy(&bits, p, sizeof bits);
  switch (dtype) {
    case BOOL: return bits != 0;
    case INT8: case INT16: case INT32: case INT64: return Word(bits ^ sign);
    case FLOAT16: return float_key<Word>(bits, Word(0x7c00));
    case BFLOAT16: return float_key<Word>(bits, Word(0x7f80));
    case FLOAT32: return float_key<Word>(bits, Word(0x7f800000));
    case FLOAT64: return float_key<Word>(bits, Word(0x7ff0000000000000));
    default: return bits;
  }
}

template <uint8_t dtype, class Word>
struct Scalar {
  using Key = Word;
  static Key key(const char* p) { return key_of<dtype, Word>(p); }
  static Key reversed(Key key) { return Word(~key); }
};

template <uint8_t part, class Word>
struct Pair {
  using Key = PairKey;
  static Key key(const char* p) { return {key_of<part, Word>(p), key_of<part, Word>(p + sizeof(Word))}; }
  static Key reversed(Key key) { return {uint64_t(~key.first), uint64_t(~key.second)}; }
};

template <class Key>
bool before(const Entry<Key>& a, const Entry<Key>& b) {
  return a.key == b.key ? a.position < b.position : a.key < b.key;
}

template <class Key>
void radix_sort(Entry<Key>* entries, Entry<Key>* other, int64_t n) {
  constexpr int bits = sizeof(Key) > 2 ? 11 : 8;
  constexpr uint64_t mask = (1 << bits) - 1;
  Entry<Key>*from = entries, *to = other;
  for (int shift = 0; shift < int(8 * sizeof(Key)); shift += bits) {
    int64_t starts[(1 << bits) + 1] = {};
    for (int64_t i = 0; i < n; ++i) ++starts[((from[i].key >> shift) & mask) + 1];
    if (starts[((from[0].key >> shift) & mask) + 1] == n) continue;  // one digit for all
    for (uint64_t d = 0; d < mask; ++d) starts[d + 1] += starts[d];
    for (int64_t i = 0; i < n; ++i) to[starts[(from[i].key >> shift) & mask]++] = from[i];
    std::swap(from, to);
  }
  if (from != entries) std::copy_n(from, n, entries);
}

// Puts the k first entries in order at the front.
template <class Key>
void sort_entries(Entry<Key>* entries, Entry<Key>* other, int64_t n, int64_t k) {
  if (k < n / 8) {
    std::partial_sort(entries, entries + k, entries + n, before<Key>);
  } else if constexpr (std::is_same_v<Key, PairKey>) {
    std::sort(entries, entries + n, before<Key>);
  } else if (n < 512) {
    std::sort(entries, entries + n, before<Key>);
  } else {
    radix_sort(entries, other, n);
  }
}

template <class Type>
int sort_lines(KernelContext& context) {
  using Key = typename Type::Key;
  const SortParams& params = *static_cast<const SortParams*>(context.params);
  const Tensor& x = context.inputs[0];
  const int64_t n = x.shape[params.axis], step = x.strides[params.axis], item = ITEMSIZE[x.dtype],
                k = params.k;
  // The other axes of x and of all outputs.
  const int n_operands = 1 + context.n_outputs, ndim = x.ndim - 1;
  std::vector<int64_t> shape, strides;
  for (int d = 0; d <= ndim; ++d) {
    if (d != params.axis) shape.push_back(x.shape[d]);
  }
  for (int i = 0; i < n_operands; ++i) {
    const Tensor& t = i ? context.outputs[i - 1] : x;
    for (int d = 0; d <= ndim; ++d) {
      if (d != params.axis) strides.push_back(t.strides[d]);
    }
  }
  Space space(ndim, n_operands, shape.data(), strides.data());
  space.normalise(0);

  auto body = [&](int64_t begin, int64_t end) {
    Scratch<Entry<Key>> entries(context, n), other(context, n);
    Scratch<int64_t> positions(context, k);
    Scratch<char> values(context, k * item);
    Walker walker(space, space.ndim);
    walker.seek(begin);
    for (int64_t line = begin; line < end; ++line, walker.next()) {
      const char* from = x.data + walker.offset(0);
      for (int64_t i = 0; i < n; ++i) {
        Key key = Type::key(from + i * step);
        entries[i] = {params.ascending ? key : Type::reversed(key), i};
      }
      sort_entries<Key>(entries, other, n, k);
      for (int64_t i = 0; i < k; ++i) {
        positions[i] = entries[i].position;
        std::memcpy(values + i * item, from + positions[i] * step, item);
      }
      int operand = 0;
      auto write = [&](const void* source, uint8_t dtype, int64_t source_step, int64_t count) {
        const Tensor& out = context.outputs[operand++];
        char* args[2] = {static_cast<char*>(const_cast<void*>(source)), out.data + walker.offset(operand)};
        const intptr_t steps[2] = {intptr_t(source_step), intptr_t(out.strides[params.axis])}, length = count;
        cast_loop(dtype, out.dtype)(args, &length, steps, nullptr);
        return args[1];
      };
      if (params.values) write(values, x.dtype, item, k);
      if (params.indices) write(positions, INT64, 8, k);
      if (params.mask) {
        bool zero = false, one = true;
        char* line_start = write(&zero, BOOL, 0, n);
        const Tensor& out = context.outputs[operand - 1];
        const CastLoop set = cast_loop(BOOL, out.dtype);
        for (int64_t i = 0; i < k; ++i) {
          char* args[2] = {reinterpret_cast<char*>(&one),
                           line_start + positions[i] * out.strides[params.axis]};
          const intptr_t single = 1, steps[2] = {0, 0};
          set(args, &single, steps, nullptr);
        }
      }
    }
    return 0;
  };
  return parallel(context, space.size, std::max<int64_t>(1, 2048 / std::max<int64_t>(1, n)), body);
}

}  // namespace

int sort_kernel(KernelContext& context) {
  const Tensor& x = context.inputs[0];
  if (x.size == 0) return 0;
  switch (x.dtype) {
    case BOOL: return sort_lines<Scalar<BOOL, uint8_t>>(context);
    case INT8: return sort_lines<Scalar<INT8, uint8_t>>(context);
    case UINT8: return sort_lines<Scalar<UINT8, uint8_t>>(context);
    case INT16: return sort_lines<Scalar<INT16, uint16_t>>(context);
    case UINT16: return sort_lines<Scalar<UINT16, uint16_t>>(context);
    case INT32: return sort_lines<Scalar<INT32, uint32_t>>(context);
    case UINT32: return sort_lines<Scalar<UINT32, uint32_t>>(context);
    case INT64: return sort_lines<Scalar<INT64, uint64_t>>(context);
    case UINT64: return sort_lines<Scalar<UINT64, uint64_t>>(context);
    case FLOAT16: return sort_lines<Scalar<FLOAT16, uint16_t>>(context);
    case BFLOAT16: return sort_lines<Scalar<BFLOAT16, uint16_t>>(context);
    case FLOAT32: return sort_lines<Scalar<FLOAT32, uint32_t>>(context);
    case FLOAT64: return sort_lines<Scalar<FLOAT64, uint64_t>>(context);
    case COMPLEX64: return sort_lines<Pair<FLOAT32, uint32_t>>(context);
    default: return sort_lines<Pair<FLOAT64, uint64_t>>(context);
  }
}

}  // namespace mxcy
