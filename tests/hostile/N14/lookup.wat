(component
  (import "wasi:sockets/ip-name-lookup@0.2.6" (instance
    (export "resolve-addresses" (func (param "name" string) (result u8))))))
