//! `hotcell:capability/secrets`: handles, through the broker.

use hotcell_broker::secrets::placeholder;
use hotcell_broker::{self as host, Capability};
use wasmtime::component::Resource;

use super::llm::{denial, denial_to_host};
use crate::bindings::capability::secrets::{Host, HostSecret};
use crate::bindings::capability::types::Denial;
use crate::cell::State;

/// A secret's handle.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Secret {
    name: String,
}

/// The longest name; the host file has none that is longer.
const NAME: usize = 63;

impl Host for State {
    async fn open(&mut self, name: String) -> wasmtime::Result<Result<Resource<Secret>, Denial>> {
        const WHAT: &str = "secrets.open";
        let opened = match self.recall::<Result<(), Denial>>(WHAT)? {
            Some(known) => {
                if let Err(reason) = &known {
                    let why: host::Denial = denial_to_host(reason.clone());
                    self.broker
                        .refused(&self.caller, Capability::Secrets, &name, &why);
                }
                known
            }
            None => {
                let opened = self.broker.open_secret(&self.caller, &name);
                self.read(WHAT, opened.map_err(denial))
            }
        };
        match opened {
            Ok(()) if name.len() <= NAME => Ok(Ok(self.table.push(Secret { name })?)),
            Ok(()) => Ok(Err(Denial::Unavailable)),
            Err(reason) => Ok(Err(reason)),
        }
    }
}

impl HostSecret for State {
    async fn name(&mut self, secret: Resource<Secret>) -> wasmtime::Result<String> {
        Ok(self.table.get(&secret)?.name.clone())
    }

    async fn placeholder(&mut self, secret: Resource<Secret>) -> wasmtime::Result<String> {
        Ok(placeholder(&self.table.get(&secret)?.name))
    }

    /// What the guest is told is on no tape and in no journal.
    async fn reveal(
        &mut self,
        secret: Resource<Secret>,
    ) -> wasmtime::Result<Result<String, Denial>> {
        let name = self.table.get(&secret)?.name.clone();
        let value = self
            .outside(name.len(), async |broker, caller| {
                broker.reveal_secret(caller, &name).await
            })
            .await?;
        Ok(value.map_err(denial))
    }

    async fn drop(&mut self, secret: Resource<Secret>) -> wasmtime::Result<()> {
        self.table.delete(secret)?;
        Ok(())
    }
}
