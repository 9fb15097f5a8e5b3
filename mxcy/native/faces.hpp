// What the array core does to the types of faces, classes written in Python.
#pragma once
#include <Python.h>

#define mxcy_is_heap_type(type) PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE)
static inline void mxcy_clear_weakrefs(PyObject* o) {
  PyObject** list = (PyObject**)((char*)o + Py_TYPE(o)->tp_weaklistoffset);
  if (*list) PyObject_ClearWeakRefs(o);
}
static inline int mxcy_is_referred_to(PyObject* o) {  // weakly
  return *(PyObject**)((char*)o + Py_TYPE(o)->tp_weaklistoffset) != NULL;
}
// Python makes every class written in it take part in garbage collection. Instances of a face hold no
// Python objects that could lead back to them, and the collector must not find those in the pool.
static inline void mxcy_leave_collector(PyTypeObject* type) {
  type->tp_flags &= ~Py_TPFLAGS_HAVE_GC;
  type->tp_traverse = NULL;
  type->tp_clear = NULL;
  type->tp_free = PyObject_Free;
}
