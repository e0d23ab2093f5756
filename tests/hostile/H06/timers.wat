(import "wasi:clocks/monotonic-clock@0.2.6" "subscribe-duration"
  (func $timer (param i64) (result i32)))
@memory @answer @realloc
(func @run
  (local $n i32)
  (local.set $n (i32.const 1000000))
  (loop $again
    (drop (call $timer (i64.const 1)))
    (local.set $n (i32.sub (local.get $n) (i32.const 1)))
    (br_if $again (local.get $n)))
  (i32.const 1024))
