//! The rules by which revisions of a registry are compared, with buf's names where buf has them.

use std::fmt;
use std::str::FromStr;

/// A set of rules. Those of buf are as `buf config ls-breaking-rules` of version 1.75 lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    /// The rules of a registry: buf's `WIRE_JSON`, nothing deleted from a package, and what an agreement rests on.
    Registry,
    /// Generated code goes on compiling, file by file.
    File,
    /// Generated code goes on compiling, package by package.
    Package,
    /// What was encoded goes on being decoded, in binary and in JSON.
    WireJson,
    /// What was encoded in binary goes on being decoded.
    Wire,
}

impl Category {
    pub const ALL: [Self; 5] = [
        Self::Registry,
        Self::File,
        Self::Package,
        Self::WireJson,
        Self::Wire,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Registry => "REGISTRY",
            Self::File => "FILE",
            Self::Package => "PACKAGE",
            Self::WireJson => "WIRE_JSON",
            Self::Wire => "WIRE",
        }
    }
}

impl FromStr for Category {
    type Err = UnknownCategory;

    fn from_str(name: &str) -> Result<Self, UnknownCategory> {
        let mut all = Self::ALL.into_iter();
        all.find(|category| category.as_str().eq_ignore_ascii_case(name))
            .ok_or(UnknownCategory)
    }
}

/// A word that names no set of rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write REGISTRY, FILE, PACKAGE, WIRE_JSON or WIRE")]
pub struct UnknownCategory;

macro_rules! rules {
    ($($rule:ident $name:literal [$($category:ident)*] $hint:literal)*) => {
        /// A way to break readers.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Rule { $($rule),* }

        impl Rule {
            pub fn name(self) -> &'static str {
                match self { $(Self::$rule => $name),* }
            }

            fn categories(self) -> &'static [Category] {
                match self { $(Self::$rule => &[$(Category::$category),*]),* }
            }

            /// How a change of this kind is made without harm.
            pub fn hint(self) -> &'static str {
                match self { $(Self::$rule => $hint),* }
            }
        }
    };
}

rules! {
    FileNoDelete "FILE_NO_DELETE" [File] "keep the file, if only to import what moved"
    MessageNoDelete "MESSAGE_NO_DELETE" [File] "keep the message in this file"
    EnumNoDelete "ENUM_NO_DELETE" [File] "keep the enum in this file"
    ExtensionNoDelete "EXTENSION_NO_DELETE" [File] "keep the extension in this file"
    ServiceNoDelete "SERVICE_NO_DELETE" [File] "keep the service in this file"
    PackageNoDelete "PACKAGE_NO_DELETE" [Package Registry] "keep the package; mark it deprecated instead"
    PackageMessageNoDelete "PACKAGE_MESSAGE_NO_DELETE" [Package Registry] "keep the message; drop it in a new package version"
    PackageEnumNoDelete "PACKAGE_ENUM_NO_DELETE" [Package Registry] "keep the enum; drop it in a new package version"
    PackageExtensionNoDelete "PACKAGE_EXTENSION_NO_DELETE" [Package Registry] "keep the extension; drop it in a new package version"
    PackageServiceNoDelete "PACKAGE_SERVICE_NO_DELETE" [Package Registry] "keep the service; drop it in a new package version"
    FileSamePackage "FILE_SAME_PACKAGE" [File Package WireJson Wire Registry] "put the new package into a file of its own"
    FileSameCcEnableArenas "FILE_SAME_CC_ENABLE_ARENAS" [File Package] "restore the option"
    FileSameCcGenericServices "FILE_SAME_CC_GENERIC_SERVICES" [File Package] "restore the option"
    FileSameCsharpNamespace "FILE_SAME_CSHARP_NAMESPACE" [File Package] "restore the option"
    FileSameGoPackage "FILE_SAME_GO_PACKAGE" [File Package] "restore the option"
    FileSameJavaGenericServices "FILE_SAME_JAVA_GENERIC_SERVICES" [File Package] "restore the option"
    FileSameJavaMultipleFiles "FILE_SAME_JAVA_MULTIPLE_FILES" [File Package] "restore the option"
    FileSameJavaOuterClassname "FILE_SAME_JAVA_OUTER_CLASSNAME" [File Package] "restore the option"
    FileSameJavaPackage "FILE_SAME_JAVA_PACKAGE" [File Package] "restore the option"
    FileSameObjcClassPrefix "FILE_SAME_OBJC_CLASS_PREFIX" [File Package] "restore the option"
    FileSameOptimizeFor "FILE_SAME_OPTIMIZE_FOR" [File Package] "restore the option"
    FileSamePhpClassPrefix "FILE_SAME_PHP_CLASS_PREFIX" [File Package] "restore the option"
    FileSamePhpMetadataNamespace "FILE_SAME_PHP_METADATA_NAMESPACE" [File Package] "restore the option"
    FileSamePhpNamespace "FILE_SAME_PHP_NAMESPACE" [File Package] "restore the option"
    FileSamePyGenericServices "FILE_SAME_PY_GENERIC_SERVICES" [File Package] "restore the option"
    FileSameRubyPackage "FILE_SAME_RUBY_PACKAGE" [File Package] "restore the option"
    FileSameSwiftPrefix "FILE_SAME_SWIFT_PREFIX" [File Package] "restore the option"
    MessageNoRemoveStandardDescriptorAccessor "MESSAGE_NO_REMOVE_STANDARD_DESCRIPTOR_ACCESSOR" [File Package] "restore the option"
    OneofNoDelete "ONEOF_NO_DELETE" [File Package] "keep the oneof"
    ReservedMessageNoDelete "RESERVED_MESSAGE_NO_DELETE" [File Package WireJson Wire Registry] "keep it reserved: old data may still hold it"
    ReservedEnumNoDelete "RESERVED_ENUM_NO_DELETE" [File Package WireJson Wire Registry] "keep it reserved: old data may still hold it"
    FieldNoDelete "FIELD_NO_DELETE" [File Package] "keep the field; mark it deprecated instead"
    FieldNoDeleteUnlessNumberReserved "FIELD_NO_DELETE_UNLESS_NUMBER_RESERVED" [WireJson Wire Registry] "reserve its number"
    FieldNoDeleteUnlessNameReserved "FIELD_NO_DELETE_UNLESS_NAME_RESERVED" [WireJson Registry] "reserve its name"
    FieldSameName "FIELD_SAME_NAME" [File Package WireJson Registry] "restore the name, or add a field under a new number"
    FieldSameJsonName "FIELD_SAME_JSON_NAME" [File Package WireJson Registry] "restore the name, or state the old one as `json_name`"
    FieldSameOneof "FIELD_SAME_ONEOF" [File Package WireJson Wire Registry] "leave the field where it was; add one under a new number"
    FieldSameType "FIELD_SAME_TYPE" [File Package] "restore the type, or add a field under a new number"
    FieldSameCardinality "FIELD_SAME_CARDINALITY" [File Package] "restore the label, or add a field under a new number"
    FieldSameJstype "FIELD_SAME_JSTYPE" [File Package] "restore the option"
    FieldSameCppStringType "FIELD_SAME_CPP_STRING_TYPE" [File Package] "restore the option"
    FieldWireCompatibleType "FIELD_WIRE_COMPATIBLE_TYPE" [Wire] "restore the type, or add a field under a new number"
    FieldWireCompatibleCardinality "FIELD_WIRE_COMPATIBLE_CARDINALITY" [Wire] "restore the label, or add a field under a new number"
    FieldWireJsonCompatibleType "FIELD_WIRE_JSON_COMPATIBLE_TYPE" [WireJson Registry] "restore the type, or add a field under a new number"
    FieldWireJsonCompatibleCardinality "FIELD_WIRE_JSON_COMPATIBLE_CARDINALITY" [WireJson Registry] "restore the label, or add a field under a new number"
    EnumValueNoDelete "ENUM_VALUE_NO_DELETE" [File Package] "keep the value; mark it deprecated instead"
    EnumValueNoDeleteUnlessNumberReserved "ENUM_VALUE_NO_DELETE_UNLESS_NUMBER_RESERVED" [WireJson Wire Registry] "reserve its number"
    EnumValueNoDeleteUnlessNameReserved "ENUM_VALUE_NO_DELETE_UNLESS_NAME_RESERVED" [WireJson Registry] "reserve its name"
    EnumValueSameName "ENUM_VALUE_SAME_NAME" [File Package WireJson Registry] "restore the name"
    RpcNoDelete "RPC_NO_DELETE" [File Package] "keep the method"
    RpcSameRequestType "RPC_SAME_REQUEST_TYPE" [File Package WireJson Wire Registry] "add a method under a new name"
    RpcSameResponseType "RPC_SAME_RESPONSE_TYPE" [File Package WireJson Wire Registry] "add a method under a new name"
    RpcSameClientStreaming "RPC_SAME_CLIENT_STREAMING" [File Package WireJson Wire Registry] "add a method under a new name"
    RpcSameServerStreaming "RPC_SAME_SERVER_STREAMING" [File Package WireJson Wire Registry] "add a method under a new name"
    RpcSameIdempotencyLevel "RPC_SAME_IDEMPOTENCY_LEVEL" [File Package WireJson Wire Registry] "restore the option"
    RecordNoUnmark "RECORD_NO_UNMARK" [Registry] "restore the `(landbridge.v1.record)` option, or drop the record type in a new package version"
    RecordSameOwner "RECORD_SAME_OWNER" [Registry] "a record type goes to another department in a package of that department"
    RecordSameKey "RECORD_SAME_KEY" [Registry] "restore the key, or make a new package version"
    RecordSameSubject "RECORD_SAME_SUBJECT" [Registry] "restore the subject, or make a new package version: journals find people by it"
    FieldSameSensitivity "FIELD_SAME_SENSITIVITY" [Registry] "restore the sensitivity, or add a field under a new number: guardrails rest on it"
    FieldSameFormat "FIELD_SAME_FORMAT" [Registry] "restore the format, or add a field under a new number: filters and row rules would select other records"
    FieldMaskNotWeakened "FIELD_MASK_NOT_WEAKENED" [Registry] "restore the mask; an agreement may release the field under `unmasked`"
    GrantedFieldNoDelete "GRANTED_FIELD_NO_DELETE" [Registry] "keep the field until the grant has ended"
}

impl Rule {
    pub fn is_in(self, category: Category) -> bool {
        self.categories().contains(&category)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
