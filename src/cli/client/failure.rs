//! Why a call brought no answer: the gateway refused, or there was no connection.

use std::error::Error;

use tonic::Code;
use tonic::Status;

use crate::cli::exit::Exit;
use crate::cli::exit::Failure;
use crate::cli::gateway_refusal::GatewayRefusal;
use crate::fault::chain;
use crate::identity::connector::ConnectError;
use crate::identity::tls_error::alert_within;

/// Reads a status: a refusal of the gateway with its reason, or what went wrong on the way.
pub(in crate::cli) fn refused(status: &Status, address: &str) -> Failure {
    if let Some(refused) = GatewayRefusal::read(status) {
        return Failure::Refused(Box::new(refused));
    }
    if let Some(error) = connect_error(status) {
        return connection(error);
    }
    if let Some(alert) = alert_within(status) {
        return turned_away(address, alert);
    }
    let failed = |what: &str| Failure::Error {
        exit: Exit::Failed,
        error: anyhow::anyhow!("{what} {address}: {}", chain(status)),
        hint: None,
    };
    match status.code() {
        Code::DeadlineExceeded => {
            failed("no answer in time from").hint("allow it more with `--timeout`")
        }
        Code::Cancelled => failed("the call was broken off by"),
        Code::Unimplemented => failed("this is not a systems door:")
            .hint("`--gateway` takes the address of `[systems]` in the gateway's settings"),
        _ if status.source().is_some() => failed("the connection was lost to"),
        _ => failed("no answer from"),
    }
}

fn connect_error(status: &Status) -> Option<&ConnectError> {
    let mut next: Option<&(dyn Error + 'static)> = status.source();
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

fn connection(error: &ConnectError) -> Failure {
    let hint = match error {
        ConnectError::RefusedByPeer { address, alert } => return turned_away(address, alert),
        ConnectError::Unreachable { .. } | ConnectError::Late { .. } => {
            "is the gateway running (`landbridge serve`), and is this its `[systems]` door? `--gateway` or LANDBRIDGE_GATEWAY says where to dial"
        }
        ConnectError::Untrusted { .. } => {
            "`--ca` must be the CA of the gateway's certificate at its systems door, and `--cert` one of the same department"
        }
        ConnectError::Failed { .. } => {
            "something else may listen there: `--gateway` takes the address of `[systems]` in the gateway's settings"
        }
    };
    Failure::Error {
        exit: Exit::Failed,
        error: anyhow::anyhow!("{}", chain(error)),
        hint: Some(hint.to_owned()),
    }
}

/// In TLS 1.3 this is learnt with the first answer only.
fn turned_away(address: &str, alert: &str) -> Failure {
    Failure::Error {
        exit: Exit::Failed,
        error: anyhow::anyhow!("the gateway at {address} does not accept the certificate: it says {alert}"),
        hint: Some(
            "`--cert` must be a system's certificate of this department, neither expired nor revoked; the gateway's log says more"
                .to_owned(),
        ),
    }
}
