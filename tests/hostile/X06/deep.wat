;; 20,000 frames of at least 32 bytes: more than 512 KiB, less than 1.5 MiB.
@memory
@answer
@realloc
(func $f (param i32) (result i32)
  (if (result i32) (local.get 0)
    (then (i32.add (call $f (i32.sub (local.get 0) (i32.const 1))) (local.get 0)))
    (else (i32.const 0))))
(func @run (drop (call $f (i32.const 20000))) (i32.const 1024))
