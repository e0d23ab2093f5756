(import "wasi:cli/stdout@0.2.6" "get-stdout" (func $stdout (result i32)))
(import "wasi:io/streams@0.2.6" "[method]output-stream.blocking-write-and-flush"
  (func $write (param i32 i32 i32 i32)))
@memory @answer @realloc
(func @run
  (local $n i32) (local $out i32)
  (memory.fill (i32.const 8192) (i32.const 120) (i32.const 4096))
  (local.set $out (call $stdout))
  (local.set $n (i32.const 4096))
  (loop $again
    (call $write (local.get $out) (i32.const 8192) (i32.const 4096) (i32.const 256))
    (local.set $n (i32.sub (local.get $n) (i32.const 1)))
    (br_if $again (local.get $n)))
  (i32.const 1024))
