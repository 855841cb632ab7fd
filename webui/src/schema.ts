/** From a task kind's JSON Schema to photo slots, option fields and the parameters to send. Pure. */
import { PAGE } from "./series";
import type { JsonSchema, Params, TaskKind } from "./wire";

const IMAGE = "image-id";
const DURATION = "duration-s";
const DURATION_STEP = 30;
const MAX_SEED = 999_999; // short enough to note down

/** A place for one photo. `id` is unique over all kinds; `many`: the parameter is a list of images. */
export interface Slot {
  id: string;
  param: string;
  label: string;
  help: string;
  required: boolean;
  many: boolean;
}

export type FieldType = "integer" | "number" | "seed" | "duration" | "boolean" | "choice" | "text";

export interface Field {
  name: string;
  type: FieldType;
  label: string;
  help: string;
  required: boolean;
  initial: unknown;
  minimum?: number;
  maximum?: number;
  step?: number;
  choices: unknown[];
}

export interface Paging {
  first: number;
  last: number;
}

type Property = { name: string; schema: JsonSchema; required: boolean };

function properties(kind: TaskKind): Property[] {
  const root = kind.params;
  return Object.entries(root.properties ?? {}).map(([name, schema]) => ({
    name,
    schema: plain(schema, root.$defs ?? {}),
    required: root.required?.includes(name) ?? false,
  }));
}

/** Follows `$ref` and takes the one non-null branch of `anyOf` or `allOf`; the outer title, help and default win. */
function plain(schema: JsonSchema, defs: Record<string, JsonSchema>): JsonSchema {
  const { $ref, anyOf, allOf, ...own } = schema;
  const branch = $ref ? defs[$ref.replace("#/$defs/", "")] : [...(anyOf ?? []), ...(allOf ?? [])].find((one) => one.type !== "null");
  const flat = branch ? { ...plain(branch, defs), ...own } : own;
  return flat.items ? { ...flat, items: plain(flat.items, defs) } : flat;
}

const isImage = ({ schema }: Property): boolean => schema.format === IMAGE;
const isImageList = ({ schema }: Property): boolean => schema.items?.format === IMAGE;
const words = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1).replaceAll("_", " ");
const label = ({ name, schema }: Property): string => schema.title ?? words(name);

export function slotsOf(kind: TaskKind): Slot[] {
  return properties(kind).flatMap((property) => {
    if (isImage(property)) return [slot(kind, property, 0, 1, property.required)];
    return isImageList(property) ? listSlots(kind, property) : [];
  });
}

function listSlots(kind: TaskKind, property: Property): Slot[] {
  const least = Math.max(property.schema.minItems ?? 1, property.required ? 1 : 0);
  const most = property.schema.maxItems ?? Math.max(least, 2);
  return Array.from({ length: most }, (_, index) => slot(kind, property, index, most, property.required && index < least));
}

function slot(kind: TaskKind, property: Property, index: number, of: number, required: boolean): Slot {
  return {
    id: `${kind.kind}.${property.name}.${index}`,
    param: property.name,
    label: of > 1 ? `${label(property)} ${index + 1}` : label(property),
    help: property.schema.description ?? "",
    required,
    many: isImageList(property),
  };
}

function fieldType(property: Property): FieldType | null {
  const { type, enum: choices } = property.schema;
  if (choices) return "choice";
  if (property.schema.format === DURATION) return "duration";
  if (property.name === "seed" && type === "integer") return "seed";
  if (type === "integer" || type === "number" || type === "boolean") return type;
  return type === "string" ? "text" : null;
}

/** Options of a kind: all parameters but images and the page. */
export function fieldsOf(kind: TaskKind): Field[] {
  return properties(kind).filter((one) => !isImage(one) && !isImageList(one) && one.name !== PAGE).flatMap((property) => {
    const type = fieldType(property);
    return type ? [field(property, type)] : [];
  });
}

function field(property: Property, type: FieldType): Field {
  const { schema } = property;
  const whole = type === "integer" || type === "seed" || type === "duration";
  return {
    name: property.name,
    type,
    label: label(property),
    help: schema.description ?? "",
    required: property.required,
    initial: type === "seed" ? null : (schema.default ?? null),
    minimum: schema.minimum ?? (whole && schema.exclusiveMinimum !== undefined ? schema.exclusiveMinimum + 1 : undefined),
    maximum: schema.maximum ?? (whole && schema.exclusiveMaximum !== undefined ? schema.exclusiveMaximum - 1 : undefined),
    step: schema.multipleOf ?? (type === "duration" ? DURATION_STEP : whole ? 1 : undefined),
    choices: schema.enum ?? [],
  };
}

/** The range of the `page` parameter; null for a kind without pages. */
export function pagingOf(kind: TaskKind): Paging | null {
  const page = properties(kind).find((property) => property.name === PAGE)?.schema;
  return page ? { first: page.minimum ?? 1, last: page.maximum ?? Infinity } : null;
}

/** Kinds for which a form can be built: shown ones whose every required parameter has a slot or a field. */
export function offered(kinds: TaskKind[]): TaskKind[] {
  const can = (property: Property) =>
    !property.required || property.name === PAGE || isImage(property) || isImageList(property) || fieldType(property) !== null;
  return kinds.filter((kind) => !kind.hidden && properties(kind).every(can));
}

export const isEmpty = (value: unknown): boolean => value === null || value === undefined || value === "";

/** What is wrong with an option's value, in a sentence; null when nothing is. */
export function fault(field: Field, value: unknown): string | null {
  if (isEmpty(value)) return field.required && field.type !== "seed" ? `${field.label} is needed.` : null;
  if (!["integer", "number", "seed", "duration"].includes(field.type)) return null;
  const number = Number(value);
  const whole = field.type === "number" || Number.isInteger(number);
  const inside = number >= (field.minimum ?? -Infinity) && number <= (field.maximum ?? Infinity);
  return Number.isFinite(number) && whole && inside ? null : `${field.label} must be ${rangeText(field)}.`;
}

export function rangeText({ type, minimum, maximum }: Field): string {
  const noun = type === "number" ? "a number" : "a whole number";
  if (minimum !== undefined && maximum !== undefined) return `${noun} from ${minimum} to ${maximum}`;
  if (minimum !== undefined) return `${noun} of at least ${minimum}`;
  return maximum === undefined ? noun : `${noun} of at most ${maximum}`;
}

/** A seed within the field's range. `random` gives numbers in [0, 1). */
export function drawSeed({ minimum = 0, maximum = MAX_SEED }: Field, random: () => number = Math.random): number {
  const last = Math.min(maximum, Math.max(MAX_SEED, minimum));
  return minimum + Math.floor(random() * (last - minimum + 1));
}

function typed(field: Field, value: unknown): unknown {
  if (field.type === "seed" && isEmpty(value)) return drawSeed(field);
  return ["integer", "number", "seed", "duration"].includes(field.type) ? Number(value) : value;
}

/** Parameters for the first page. `images` maps slot ids to image ids; what is left empty is left out. */
export function paramsOf(kind: TaskKind, values: Params, images: Record<string, string>): Params {
  const params: Params = {};
  for (const { id, param, many } of slotsOf(kind)) {
    const image = images[id];
    if (image) params[param] = many ? [...((params[param] as string[]) ?? []), image] : image;
  }
  for (const field of fieldsOf(kind)) {
    const value = values[field.name];
    if (field.type === "seed" || !isEmpty(value)) params[field.name] = typed(field, value);
  }
  const paging = pagingOf(kind);
  return paging ? { ...params, [PAGE]: paging.first } : params;
}

/** Image ids of a task's parameters by slot id: the way back from `paramsOf`. */
export function imagesOf(kind: TaskKind, params: Params): Record<string, string> {
  const taken: Record<string, number> = {};
  const entries = slotsOf(kind).map(({ id, param, many }) => {
    const index = (taken[param] = (taken[param] ?? -1) + 1);
    return [id, many ? (params[param] as string[] | undefined)?.[index] : params[param]];
  });
  return Object.fromEntries(entries.filter(([, image]) => typeof image === "string"));
}
