(import "wasi:cli/stdout@0.2.6" "get-stdout" (func $stdout (result i32)))
@memory @answer @realloc
(func @run
  (local $n i32)
  (local.set $n (i32.const 100000))
  (loop $again
    (drop (call $stdout))
    (local.set $n (i32.sub (local.get $n) (i32.const 1)))
    (br_if $again (local.get $n)))
  (i32.const 1024))
