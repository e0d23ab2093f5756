(memory (export "memory") 2)
@realloc
(func @run
  ;; 65,533 pages besides the two there are.
  (if (i32.eq (memory.grow (i32.const 65533)) (i32.const -1)) (then unreachable))
  (i32.const 1024))
