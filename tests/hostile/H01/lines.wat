@emit
@memory @answer @realloc
(func @run
  (local $n i32)
  (local.set $n (i32.const 20000))
  (loop $again
    (call $emit (i32.const 2) (i32.const 4096) (i32.and (local.get $n) (i32.const 63))
      (i32.const 0) (i32.const 0))
    (local.set $n (i32.sub (local.get $n) (i32.const 1)))
    (br_if $again (local.get $n)))
  (i32.const 1024))
