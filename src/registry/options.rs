//! The options of this project in a descriptor.

use prost::Message;
use prost_reflect::DynamicMessage;
use prost_reflect::ExtensionDescriptor;

/// The value of one of our options, if it is set.
pub(super) fn option<T: Message + Default>(
    options: &DynamicMessage,
    extension: Option<&ExtensionDescriptor>,
) -> Option<T> {
    let extension = extension.filter(|e| options.has_extension(e))?;
    // The annotations are compiled from the file that `pb` is generated from, so that this cannot fail.
    options
        .get_extension(extension)
        .as_message()?
        .transcode_to()
        .ok()
}
