;; A request with that as its model, and no messages.
@complete
@memory @answer @realloc
(data (i32.const 4096) "\1b[31m\1b]0;title\07\1b]8;;http://x\1b\5c\1b]52;c;eA==\07\r\n{\22level\22:\22error\22}\00\e2\80\ae<script>\f3\a0\81\81\ef\bb\bf\c2\9b2J\e2\80\8b\e2\80\a8\c2\ad")
(data (i32.const 2048) "\00\10\00\00\5c\00\00\00")
(func @run
  (call $complete (i32.const 2048) (i32.const 3072))
  (i32.const 1024))
