(import "wasi:cli/stdout@0.2.6" "get-stdout" (func $stdout (result i32)))
(import "wasi:io/streams@0.2.6" "[method]output-stream.blocking-write-and-flush"
  (func $write (param i32 i32 i32 i32)))
(import "wasi:clocks/monotonic-clock@0.2.6" "subscribe-duration"
  (func $timer (param i64) (result i32)))
(import "wasi:io/poll@0.2.6" "[method]pollable.block" (func $block (param i32)))
@memory @realloc
(func @run
  (local $out i32)
  (local.set $out (call $stdout))
  (loop $again
    (call $write (local.get $out) (i32.const 8192) (i32.const 1) (i32.const 256))
    (call $block (call $timer (i64.const 60000000000)))
    (br $again))
  unreachable)
