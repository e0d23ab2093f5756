(import "wasi:cli/stdout@0.2.6" "get-stdout" (func $stdout (result i32)))
(import "wasi:io/streams@0.2.6" "[method]output-stream.write-zeroes"
  (func $zeroes (param i32 i64 i32)))
@memory @answer @realloc
(func @run
  (call $zeroes (call $stdout) (i64.const 268435456) (i32.const 256))
  (i32.const 1024))
