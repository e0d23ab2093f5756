;; Each time another model: the first three letters of `default` count.
@complete
@memory @answer @request
(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 8192))
(func @run
  (local $n i32)
  (local.set $n (i32.const 1000))
  (loop $again
    (i32.store8 (i32.const 2264) (i32.add (i32.const 65) (i32.rem_u (local.get $n) (i32.const 10))))
    (i32.store8 (i32.const 2265)
      (i32.add (i32.const 65) (i32.rem_u (i32.div_u (local.get $n) (i32.const 10)) (i32.const 10))))
    (i32.store8 (i32.const 2266)
      (i32.add (i32.const 65) (i32.div_u (local.get $n) (i32.const 100))))
    (call $complete (i32.const 2048) (i32.const 3072))
    (local.set $n (i32.sub (local.get $n) (i32.const 1)))
    (br_if $again (local.get $n)))
  (i32.const 1024))
