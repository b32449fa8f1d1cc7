//! Files and packages: what is deleted from them, and the options that generators read.

use prost_reflect::FileDescriptor;
use prost_types::FileOptions;

use super::Report;
use super::Site;
use super::rule::Rule;
use super::side::Kind;

/// The field numbers of `google.protobuf.FileDescriptorProto`.
const PACKAGE: i32 = 2;
const OPTIONS: i32 = 8;

type ReadOption = fn(&FileOptions) -> String;

/// The file options that generated code depends on: rule, name, number in `google.protobuf.FileOptions`, reading.
const SAME: [(Rule, &str, i32, ReadOption); 16] = [
    (Rule::FileSameJavaPackage, "java_package", 1, |o| {
        o.java_package().to_owned()
    }),
    (
        Rule::FileSameJavaOuterClassname,
        "java_outer_classname",
        8,
        |o| o.java_outer_classname().to_owned(),
    ),
    (Rule::FileSameOptimizeFor, "optimize_for", 9, |o| {
        o.optimize_for().as_str_name().to_owned()
    }),
    (
        Rule::FileSameJavaMultipleFiles,
        "java_multiple_files",
        10,
        |o| o.java_multiple_files().to_string(),
    ),
    (Rule::FileSameGoPackage, "go_package", 11, |o| {
        o.go_package().to_owned()
    }),
    (
        Rule::FileSameCcGenericServices,
        "cc_generic_services",
        16,
        |o| o.cc_generic_services().to_string(),
    ),
    (
        Rule::FileSameJavaGenericServices,
        "java_generic_services",
        17,
        |o| o.java_generic_services().to_string(),
    ),
    (
        Rule::FileSamePyGenericServices,
        "py_generic_services",
        18,
        |o| o.py_generic_services().to_string(),
    ),
    (Rule::FileSameCcEnableArenas, "cc_enable_arenas", 31, |o| {
        o.cc_enable_arenas().to_string()
    }),
    (
        Rule::FileSameObjcClassPrefix,
        "objc_class_prefix",
        36,
        |o| o.objc_class_prefix().to_owned(),
    ),
    (Rule::FileSameCsharpNamespace, "csharp_namespace", 37, |o| {
        o.csharp_namespace().to_owned()
    }),
    (Rule::FileSameSwiftPrefix, "swift_prefix", 39, |o| {
        o.swift_prefix().to_owned()
    }),
    (Rule::FileSamePhpClassPrefix, "php_class_prefix", 40, |o| {
        o.php_class_prefix().to_owned()
    }),
    (Rule::FileSamePhpNamespace, "php_namespace", 41, |o| {
        o.php_namespace().to_owned()
    }),
    (
        Rule::FileSamePhpMetadataNamespace,
        "php_metadata_namespace",
        44,
        |o| o.php_metadata_namespace().to_owned(),
    ),
    (Rule::FileSameRubyPackage, "ruby_package", 45, |o| {
        o.ruby_package().to_owned()
    }),
];

impl Report<'_> {
    pub(super) fn files(&mut self) {
        for (name, file) in &self.before.files {
            match self.after.files.get(name) {
                Some(new) => {
                    self.package(file, new);
                    self.options(file, new);
                }
                None => {
                    let message = "the file was deleted".to_owned();
                    self.add(Rule::FileNoDelete, &whole(file), name, message);
                }
            }
        }
        self.packages();
        self.report_deleted();
    }

    fn package(&mut self, old: &FileDescriptor, new: &FileDescriptor) {
        let (was, is) = (old.package_name(), new.package_name());
        if was != is {
            let site = Site {
                file: new,
                path: &[PACKAGE],
            };
            let message = format!("the package of the file changed from `{was}` to `{is}`");
            self.add(Rule::FileSamePackage, &site, new.name(), message);
        }
    }

    fn options(&mut self, old: &FileDescriptor, new: &FileDescriptor) {
        let none = FileOptions::default();
        let (old_options, new_options) = (
            old.file_descriptor_proto().options.as_ref(),
            new.file_descriptor_proto().options.as_ref(),
        );
        for (rule, option, number, reading) in SAME {
            let was = reading(old_options.unwrap_or(&none));
            let is = reading(new_options.unwrap_or(&none));
            if was != is {
                let site = Site {
                    file: new,
                    path: &[OPTIONS, number],
                };
                let message = format!("the option `{option}` changed from `{was}` to `{is}`");
                self.add(rule, &site, new.name(), message);
            }
        }
    }

    fn packages(&mut self) {
        for package in self.before.packages.difference(&self.after.packages) {
            let mut files = self.before.files.values();
            let Some(file) = files.find(|file| file.package_name() == package) else {
                continue;
            };
            let file = self.after.files.get(file.name()).unwrap_or(file);
            let message = format!("the package `{package}` was deleted");
            self.add(Rule::PackageNoDelete, &whole(file), package, message);
        }
    }

    fn report_deleted(&mut self) {
        for (declared, file) in &self.before.declared {
            let (in_file, in_package, what) = match declared.kind {
                Kind::Message => (
                    Rule::MessageNoDelete,
                    Rule::PackageMessageNoDelete,
                    "message",
                ),
                Kind::Enum => (Rule::EnumNoDelete, Rule::PackageEnumNoDelete, "enum"),
                Kind::Service => (
                    Rule::ServiceNoDelete,
                    Rule::PackageServiceNoDelete,
                    "service",
                ),
                Kind::Extension => (
                    Rule::ExtensionNoDelete,
                    Rule::PackageExtensionNoDelete,
                    "extension",
                ),
            };
            let new = self.after.files.get(file.name());
            let site = whole(new.unwrap_or(file));
            if new.is_some() && !self.after.has_in_file(declared, file) {
                let message = format!("the {what} was deleted from its file");
                self.add(in_file, &site, &declared.name, message);
            }
            let has_package = self.after.packages.contains(file.package_name());
            if has_package && !self.after.declared.contains_key(declared) {
                let message = format!("the {what} was deleted from its package");
                self.add(in_package, &site, &declared.name, message);
            }
        }
    }
}

fn whole(file: &FileDescriptor) -> Site<'_> {
    Site { file, path: &[] }
}
