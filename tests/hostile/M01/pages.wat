;; Grows by one page, writes to it, and traps when it gets no more.
(memory (export "memory") 2)
@realloc
(func @run
  (local $at i32)
  (loop $more
    (local.set $at (memory.grow (i32.const 1)))
    (if (i32.eq (local.get $at) (i32.const -1)) (then unreachable))
    (i32.store (i32.shl (local.get $at) (i32.const 16)) (i32.const 1))
    (br $more))
  unreachable)
