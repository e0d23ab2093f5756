;; Three lines of 8 KiB in each call: less than one call may say.
@emit
@memory @answer @realloc
(func @run
  (memory.fill (i32.const 8192) (i32.const 120) (i32.const 8000))
  (call $emit (i32.const 2) (i32.const 8192) (i32.const 8000) (i32.const 0) (i32.const 0))
  (call $emit (i32.const 2) (i32.const 8192) (i32.const 8000) (i32.const 0) (i32.const 0))
  (call $emit (i32.const 2) (i32.const 8192) (i32.const 8000) (i32.const 0) (i32.const 0))
  (i32.const 1024))
