// The Python line that pushes an operation.
#pragma once
#include <Python.h>

#include <cstring>

namespace mxcy {

// The innermost Python frame whose file is not in the directory `package`: its code (a new reference) and
// instruction, or null.  With the GIL held.
inline PyObject* outer_frame(const char* package, size_t length, int* lasti) {
  PyFrameObject* frame = PyThreadState_GetFrame(PyThreadState_Get());
  while (frame) {
    PyCodeObject* code = PyFrame_GetCode(frame);
    Py_ssize_t size = 0;
    const char* file = PyUnicode_AsUTF8AndSize(code->co_filename, &size);
    if (!file) PyErr_Clear();
    if (!file || size_t(size) < length || std::memcmp(file, package, length) != 0) {
      *lasti = PyFrame_GetLasti(frame);
      Py_DECREF(frame);
      return reinterpret_cast<PyObject*>(code);
    }
    Py_DECREF(code);
    PyFrameObject* back = PyFrame_GetBack(frame);
    Py_DECREF(frame);
    frame = back;
  }
  return nullptr;
}

inline int line_of(PyObject* code, int lasti) {
  return PyCode_Addr2Line(reinterpret_cast<PyCodeObject*>(code), lasti);
}

}  // namespace mxcy
