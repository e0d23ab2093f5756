;; The meter forgets what a loop used when an access out of bounds ends it.
(memory (export "memory") 2)
@realloc
(func @run
  (local $n i32)
  (local.set $n (i32.const 1000000))
  (loop $again
    (local.set $n (i32.sub (local.get $n) (i32.const 1)))
    (br_if $again (local.get $n)))
  (i32.load (i32.const -4)))
