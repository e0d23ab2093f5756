(import "hotcell:capability/context@0.1.0" "random" (func $ask (result i64)))
@memory @answer @realloc
(func @run
  (local $n i32)
  (local.set $n (i32.const 1200000))
  (loop $again
    (drop (call $ask))
    (local.set $n (i32.sub (local.get $n) (i32.const 1)))
    (br_if $again (local.get $n)))
  (i32.const 1024))
