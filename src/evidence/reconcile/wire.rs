//! Summaries and items as gateways send them to one another.

use super::ClaimedState;
use super::Item;
use super::Summary;
use super::window::Window;
use crate::name::ExchangeId;
use crate::pb;

impl Summary {
    /// None if the root is no hash.
    pub fn read(summary: Option<&pb::ExchangeSummary>) -> Option<Self> {
        let summary = summary?;
        Some(Self {
            count: summary.count,
            root: summary.root.as_ref().try_into().ok()?,
        })
    }
}

impl From<&Summary> for pb::ExchangeSummary {
    fn from(summary: &Summary) -> Self {
        Self {
            count: summary.count,
            root: summary.root.to_vec().into(),
        }
    }
}

impl Item {
    /// None if one of them is not an exchange of the window, or not of the parts that it should be of.
    pub fn read_all(items: &[pb::ExchangeItem], window: Window, parts: &[u8]) -> Option<Vec<Self>> {
        let fits = |item: &Self| window.contains(item.exchange) && parts.contains(&item.part());
        let items = items.iter().map(|item| Self::read(item).filter(fits));
        items.collect()
    }

    fn read(item: &pb::ExchangeItem) -> Option<Self> {
        Some(Self {
            exchange: ExchangeId::from_slice(&item.exchange_id)?,
            digest: item.digest.as_ref().try_into().ok()?,
            standing: match item.standing() {
                pb::ExchangeStanding::Shared => ClaimedState::Shared,
                pb::ExchangeStanding::Denied => ClaimedState::Denied,
                pb::ExchangeStanding::Unanswered => ClaimedState::Unanswered,
                pb::ExchangeStanding::Unspecified => return None,
            },
        })
    }
}

impl From<&Item> for pb::ExchangeItem {
    fn from(item: &Item) -> Self {
        let standing = match item.standing {
            ClaimedState::Shared => pb::ExchangeStanding::Shared,
            ClaimedState::Denied => pb::ExchangeStanding::Denied,
            ClaimedState::Unanswered => pb::ExchangeStanding::Unanswered,
        };
        Self {
            exchange_id: item.exchange.bytes().to_vec().into(),
            digest: item.digest.to_vec().into(),
            standing: standing.into(),
        }
    }
}
