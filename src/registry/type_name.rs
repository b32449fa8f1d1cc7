//! What the protobuf language calls the type of a field.

use prost_reflect::FieldDescriptor;
use prost_reflect::Kind;

pub(super) fn type_name(field: &FieldDescriptor) -> String {
    let kind = field.kind();
    if let (true, Kind::Message(entry)) = (field.is_map(), &kind) {
        let key = entry.map_entry_key_field().kind();
        let value = entry.map_entry_value_field().kind();
        return format!("map<{key:?}, {value:?}>");
    }
    let repeated = if field.is_list() { "repeated " } else { "" };
    // The `Debug` form of a kind is its name in the protobuf language.
    format!("{repeated}{kind:?}")
}
