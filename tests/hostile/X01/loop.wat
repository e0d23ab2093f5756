(memory (export "memory") 2)
@realloc
(func @run (loop $again (br $again)) unreachable)
