(import "wasi:random/random@0.2.6" "get-random-bytes" (func $random (param i64 i32)))
@memory @answer @realloc
(func @run
  (call $random (i64.const 65537) (i32.const 256))
  (i32.const 1024))
