"""Kernels: functions over arrays that push one operation to the engine, in the same form for every device."""
