(component
  (import "wasi:sockets/tcp-create-socket@0.2.6" (instance
    (export "create-tcp-socket" (func (param "family" u8) (result u8))))))
