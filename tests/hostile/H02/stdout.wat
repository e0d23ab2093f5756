(import "wasi:cli/stdout@0.2.6" "get-stdout" (func $stdout (result i32)))
(import "wasi:io/streams@0.2.6" "[method]output-stream.blocking-write-and-flush"
  (func $write (param i32 i32 i32 i32)))
@memory @answer @realloc
(data (i32.const 4096) "\1b[31m\1b]0;title\07\1b]8;;http://x\1b\5c\1b]52;c;eA==\07\r\n{\22level\22:\22error\22}\00\e2\80\ae<script>\f3\a0\81\81\ef\bb\bf\c2\9b2J\e2\80\8b\e2\80\a8\c2\ad")
(func @run
  (call $write (call $stdout) (i32.const 4096) (i32.const 92) (i32.const 256))
  (i32.const 1024))
