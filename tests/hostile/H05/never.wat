(import "wasi:clocks/monotonic-clock@0.2.6" "subscribe-duration"
  (func $timer (param i64) (result i32)))
(import "wasi:io/poll@0.2.6" "[method]pollable.block" (func $block (param i32)))
@memory @answer @realloc
(func @run
  (call $block (call $timer (i64.const -1)))
  (i32.const 1024))
