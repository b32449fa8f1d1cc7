//! Services: methods that were there before, and what they take and give.

use prost_reflect::MessageDescriptor;
use prost_reflect::MethodDescriptor;
use prost_reflect::ServiceDescriptor;
use prost_types::method_options::IdempotencyLevel;

use super::Report;
use super::Site;
use super::pairs;
use super::rule::Rule;

impl Report<'_> {
    pub(super) fn services(&mut self) {
        for (old, new) in pairs(&self.before.services, &self.after.services) {
            self.methods(old, new);
        }
    }

    fn methods(&mut self, old: &ServiceDescriptor, new: &ServiceDescriptor) {
        for method in old.methods() {
            let mut kept = new.methods();
            match kept.find(|kept| kept.name() == method.name()) {
                Some(kept) => self.method(&method, &kept),
                None => {
                    let file = new.parent_file();
                    let site = Site {
                        file: &file,
                        path: new.path(),
                    };
                    let message = format!("the method `{}` was deleted", method.name());
                    self.add(Rule::RpcNoDelete, &site, method.full_name(), message);
                }
            }
        }
    }

    fn method(&mut self, old: &MethodDescriptor, new: &MethodDescriptor) {
        let same = [
            (
                Rule::RpcSameRequestType,
                "takes",
                of(&old.input()),
                of(&new.input()),
            ),
            (
                Rule::RpcSameResponseType,
                "gives",
                of(&old.output()),
                of(&new.output()),
            ),
            (
                Rule::RpcSameClientStreaming,
                "takes",
                streaming(old.is_client_streaming()),
                streaming(new.is_client_streaming()),
            ),
            (
                Rule::RpcSameServerStreaming,
                "gives",
                streaming(old.is_server_streaming()),
                streaming(new.is_server_streaming()),
            ),
            (
                Rule::RpcSameIdempotencyLevel,
                "is",
                idempotency(old),
                idempotency(new),
            ),
        ];
        let file = new.parent_service().parent_file();
        for (rule, verb, was, is) in same {
            if was != is {
                let site = Site {
                    file: &file,
                    path: new.path(),
                };
                let message = format!("the method {verb} {is}, and before {was}");
                self.add(rule, &site, new.full_name(), message);
            }
        }
    }
}

fn of(message: &MessageDescriptor) -> String {
    message.full_name().to_owned()
}

fn streaming(streams: bool) -> String {
    let word = if streams { "a stream" } else { "one message" };
    word.to_owned()
}

fn idempotency(method: &MethodDescriptor) -> String {
    let options = method.method_descriptor_proto().options.as_ref();
    let level = options.map_or(IdempotencyLevel::IdempotencyUnknown, |o| {
        o.idempotency_level()
    });
    level.as_str_name().to_owned()
}
