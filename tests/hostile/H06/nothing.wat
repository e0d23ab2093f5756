(import "wasi:io/poll@0.2.6" "poll" (func $poll (param i32 i32 i32)))
@memory @answer @realloc
(func @run
  (call $poll (i32.const 4096) (i32.const 0) (i32.const 256))
  (i32.const 1024))
