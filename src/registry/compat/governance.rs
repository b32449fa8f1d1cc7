//! What agreements, guardrails and journals rest on, and protobuf knows nothing of.

use prost_reflect::FieldDescriptor;
use prost_reflect::MessageDescriptor;

use super::Report;
use super::Site;
use super::pairs;
use super::rule::Rule;
use super::side::Side;
use crate::pb;
use crate::pb::Sensitivity;
use crate::registry::mask::Mask;
use crate::registry::options::option;

impl Report<'_> {
    pub(super) fn governance(&mut self) {
        for (old, new) in pairs(&self.before.messages, &self.after.messages) {
            self.record(old, new);
            for field in old.fields() {
                if let Some(kept) = new.get_field(field.number()) {
                    self.release(&field, &kept);
                }
            }
        }
    }

    fn record(&mut self, old: &MessageDescriptor, new: &MessageDescriptor) {
        let Some(was) = self.before.record(old) else {
            return;
        };
        let Some(is) = self.after.record(new) else {
            let message = "the message is no longer a record type".to_owned();
            return self.of_record(Rule::RecordNoUnmark, new, message);
        };
        let same = [
            (Rule::RecordSameOwner, "owner", was.owner, is.owner),
            (Rule::RecordSameKey, "key", was.key, is.key),
            (Rule::RecordSameSubject, "subject", was.subject, is.subject),
        ];
        for (rule, part, was, is) in same {
            if was != is {
                let message = format!("the {part} changed from `{was}` to `{is}`");
                self.of_record(rule, new, message);
            }
        }
    }

    fn release(&mut self, old: &FieldDescriptor, new: &FieldDescriptor) {
        let (was, is) = (self.before.field(old), self.after.field(new));
        let sensitivity = |options: &pb::FieldOptions| match options.sensitivity() {
            Sensitivity::Unspecified => Sensitivity::Internal.as_str_name(),
            stated => stated.as_str_name(),
        };
        if sensitivity(&was) != sensitivity(&is) {
            let (was, is) = (sensitivity(&was), sensitivity(&is));
            let message = format!("the sensitivity changed from {was} to {is}");
            self.of_field(Rule::FieldSameSensitivity, new, message);
        }
        if was.format() != is.format() {
            let (was, is) = (was.format().as_str_name(), is.format().as_str_name());
            let message = format!("the format changed from {was} to {is}");
            self.of_field(Rule::FieldSameFormat, new, message);
        }
        if let Ok(mask) = was.mask.parse::<Mask>()
            && !is.mask.parse().is_ok_and(|now| mask.is_kept_by(now))
        {
            let now = if is.mask.is_empty() { "none" } else { &is.mask };
            let message = format!(
                "the default mask was `{mask}` and is `{now}`, which shows more or other parts"
            );
            self.of_field(Rule::FieldMaskNotWeakened, new, message);
        }
    }

    fn of_record(&mut self, rule: Rule, new: &MessageDescriptor, message: String) {
        let file = new.parent_file();
        let site = Site {
            file: &file,
            path: new.path(),
        };
        self.add(rule, &site, new.full_name(), message);
    }

    fn of_field(&mut self, rule: Rule, new: &FieldDescriptor, message: String) {
        let file = new.parent_message().parent_file();
        let site = Site {
            file: &file,
            path: new.path(),
        };
        self.add(rule, &site, new.full_name(), message);
    }
}

impl Side {
    fn record(&self, message: &MessageDescriptor) -> Option<pb::RecordOptions> {
        option(&message.options(), self.record.as_ref())
    }

    fn field(&self, field: &FieldDescriptor) -> pb::FieldOptions {
        option(&field.options(), self.field.as_ref()).unwrap_or_default()
    }
}
