//! The bodies of requests: no more of them are read at a time than a door has room for.

use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use bytes::Bytes;
use hyper::body::Body;
use hyper::body::Frame;
use hyper::body::Incoming;
use hyper::body::SizeHint;
use tower::BoxError;

use super::admission::Room;
use super::status;

/// A body that takes room as it comes, and is refused where there is none.
#[derive(Debug)]
pub(super) struct MeteredBody {
    pub(super) body: Incoming,
    pub(super) room: Room,
}

impl Body for MeteredBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
            None => return Poll::Ready(None),
        };
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        let taken = self.room.grow(bytes);
        Poll::Ready(Some(
            taken
                .map(|()| frame)
                .map_err(|shed| status::of_admission(shed).into()),
        ))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
