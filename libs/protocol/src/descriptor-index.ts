import { fromBinary } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import {
  type DescriptorProto,
  type FieldDescriptorProto,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";

/** One file of a descriptor set. */
export interface IndexedFile {
  readonly name: string;
  /** The bytes that the compiler wrote: decoding and encoding again would be one more thing to trust. */
  readonly bytes: Uint8Array;
  readonly dependencies: readonly string[];
}

/** A descriptor set by file, symbol and extension, as reflection asks for it. */
export interface DescriptorIndex {
  /** The file's bytes after those of every file it imports, each once, without the files in `known`; `undefined`: no such file. */
  closure(fileName: string, known?: ReadonlySet<string>): readonly IndexedFile[] | undefined;
  /** The file that defines the message, enum, field, service or method of that full name. */
  fileOfSymbol(symbol: string): string | undefined;
  /** The file that defines extension `number` of the message `type`. */
  fileOfExtension(type: string, number: number): string | undefined;
  /** Numbers of all extensions of the message, ascending; `undefined` when there is no such message. */
  extensionNumbers(type: string): readonly number[] | undefined;
}

/** Field `file` of google.protobuf.FileDescriptorSet. */
const FILE_FIELD = 1;

function* filesOf(descriptorSet: Uint8Array): Generator<Uint8Array> {
  const reader = new BinaryReader(descriptorSet);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === FILE_FIELD && wireType === WireType.LengthDelimited) yield reader.bytes();
    else reader.skip(wireType, field);
  }
}

/** Indexes the bytes of a `google.protobuf.FileDescriptorSet`. */
export function createDescriptorIndex(descriptorSet: Uint8Array): DescriptorIndex {
  const files = new Map<string, IndexedFile>();
  const symbols = new Map<string, string>();
  const extensions = new Map<string, Map<number, string>>();
  for (const bytes of filesOf(descriptorSet)) {
    const file = fromBinary(FileDescriptorProtoSchema, bytes);
    files.set(file.name, { name: file.name, bytes, dependencies: file.dependency });
    for (const symbol of symbolsOf(file)) symbols.set(symbol, file.name);
    for (const extension of extensionsOf(file)) {
      const type = extension.extendee.replace(/^\./, "");
      if (!extensions.has(type)) extensions.set(type, new Map());
      extensions.get(type)!.set(extension.number, file.name);
    }
  }
  return {
    closure: (fileName, known = new Set()) =>
      files.has(fileName) ? [...closure(files, fileName, new Set(known))] : undefined,
    fileOfSymbol: (symbol) => symbols.get(symbol),
    fileOfExtension: (type, number) => extensions.get(type)?.get(number),
    extensionNumbers: (type) =>
      symbols.has(type) ? [...(extensions.get(type)?.keys() ?? [])].sort((a, b) => a - b) : undefined,
  };
}

/** Imports before importers, so that a client may build as it reads. Adds what it gives to `known`. */
function* closure(files: ReadonlyMap<string, IndexedFile>, name: string, known: Set<string>): Generator<IndexedFile> {
  if (known.has(name)) return;
  known.add(name);
  const file = files.get(name)!;
  for (const dependency of file.dependencies) yield* closure(files, dependency, known);
  yield file;
}

function* symbolsOf(file: FileDescriptorProto): Generator<string> {
  const prefix = file.package === "" ? "" : `${file.package}.`;
  for (const message of file.messageType) yield* symbolsOfMessage(prefix, message);
  for (const { name, value } of file.enumType) yield* [`${prefix}${name}`, ...value.map((v) => `${prefix}${v.name}`)];
  for (const { name } of file.extension) yield `${prefix}${name}`;
  for (const { name, method } of file.service) {
    yield* [`${prefix}${name}`, ...method.map((m) => `${prefix}${name}.${m.name}`)];
  }
}

function* symbolsOfMessage(prefix: string, message: DescriptorProto): Generator<string> {
  const own = `${prefix}${message.name}`;
  yield own;
  const named = [...message.field, ...message.oneofDecl, ...message.extension, ...message.enumType];
  for (const { name } of named) yield `${own}.${name}`;
  for (const { value } of message.enumType) for (const { name } of value) yield `${own}.${name}`;
  for (const nested of message.nestedType) yield* symbolsOfMessage(`${own}.`, nested);
}

function* extensionsOf(scope: FileDescriptorProto | DescriptorProto): Generator<FieldDescriptorProto> {
  yield* scope.extension;
  for (const nested of "messageType" in scope ? scope.messageType : scope.nestedType) yield* extensionsOf(nested);
}
