// A vector of integers or pointers that keeps a few of them inside: the shapes of small operations need no
// memory of their own.
#pragma once
#include <cstddef>
#include <cstring>
#include <memory>
#include <type_traits>
#include <utility>

namespace mxcy {

template <class T, size_t INLINE>
class SmallVector {
  static_assert(std::is_trivially_copyable_v<T>, "copied as bytes");

 public:
  SmallVector() = default;
  explicit SmallVector(size_t n) { resize(n); }
  SmallVector(const T* values, size_t n) {
    resize(n);
    if (n) std::memcpy(data_, values, n * sizeof(T));
  }
  SmallVector(const SmallVector& other) : SmallVector(other.data_, other.size_) {}
  SmallVector& operator=(const SmallVector& other) {
    if (this == &other) return *this;
    resize(other.size_);
    if (size_) std::memcpy(data_, other.data_, size_ * sizeof(T));
    return *this;
  }

  // Sets all n elements to zero.
  void resize(size_t n) {
    if (n > INLINE) {
      heap_ = std::make_unique<T[]>(n);
      data_ = heap_.get();
    } else {
      data_ = inline_;
      if (n) std::memset(static_cast<void*>(inline_), 0, n * sizeof(T));
    }
    size_ = n;
  }
  void push_back(const T& value) {
    if (size_ < INLINE) {
      inline_[size_++] = value;
      return;
    }
    SmallVector longer(size_ + 1);
    std::memcpy(static_cast<void*>(longer.data_), data_, size_ * sizeof(T));
    longer.data_[size_] = value;
    heap_ = std::move(longer.heap_);
    data_ = heap_.get();
    ++size_;
  }
  T* data() { return data_; }
  const T* data() const { return data_; }
  size_t size() const { return size_; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }

 private:
  size_t size_ = 0;
  T* data_ = inline_;
  T inline_[INLINE];
  std::unique_ptr<T[]> heap_;
};

}  // namespace mxcy
