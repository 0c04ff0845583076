// What the API answers, as the pages use it (web/items.py, web/progress.py, web/history.py), for tsc --checkJs.

interface Item {
  id: number;
  file_path: string;
  filename: string;
  preview_url: string | null;
  thumb_url: string | null;
  thumb_width: number | null;
  thumb_height: number | null;
  width: number | null;
  height: number | null;
  captured_at: string | null;
  camera: string | null;
  lens: string | null;
  iso: number | null;
  aperture: number | null;
  shutter_s: number | null;
  focal_length_mm: number | null;
  technical_score: number | null;
  sharpness_score: number | null;
  exposure_score: number | null;
  focus_score: number | null;
  subject: string | null;
  content_type: string | null;
  artistic_mood: string | null;
  lighting_critique: string | null;
  tags: string[];
  user_rating: number | null;
  manual_match: boolean;
  is_match: boolean;
  preference_score: number | null;
  vibe_score: number | null;
  burst_group: number | null;
  burst_keeper: boolean;
  burst_intent: BurstIntent | null;
  stack_front: number | null;
  versions: number | null;
  project: string | null;
  status: string;
  failure_reason: string | null;
  stages: Record<string, string>;
  rejected: boolean;
  seen: boolean;
  discarded: boolean;
  tabs: string[];
  dominant_color: string | null;
  is_monochrome: boolean | null;
  warnings: string[];
}

interface FocusTiles {
  rows: number;
  cols: number;
  values: number[];
}

interface Detail extends Item {
  exif: Record<string, unknown>;
  other_locations: string[];
  focus_tiles: FocusTiles | null;
}

interface Tiles {
  url: string;
  tile_size: number;
  overlap: number;
  min_level: number;
  max_level: number;
}

interface Rendering {
  ready: boolean;
  url: string | null;
  width: number | null;
  height: number | null;
  tiles: Tiles | null;
}

/** Any of the decisions; null clears. */
interface Change {
  rating?: number | null;
  manual_match?: boolean;
  rejected?: boolean;
  project?: string | null;
  tags_add?: string[];
  tags_remove?: string[];
  seen?: boolean;
  apart?: boolean;
  copy_kept?: boolean;
}

interface StageState {
  due: number;
  queued: number;
  running: number;
  done: number;
  failed: number;
  paused: boolean;
  reason: string | null;
  until: string | null;
  paused_by: string | null;
  oldest_due: string | null;
}

interface ImportState {
  id: number;
  path: string;
  status: string;
  reason: string | null;
  ready: number;
  waiting: number;
  failed: number;
  files_found: number;
  files_known: number;
  files_discarded: number;
  folders_found: number;
  folders_done: number;
  photos_merged: number;
  paths_skipped: number;
  ratings_found: number;
  nothing_new: boolean;
}

interface TasteModel {
  version: number;
  n_ratings: number;
  tentative: boolean;
  cv_rank_correlation: number | null;
  cv_ungrouped: number | null;
  /** How often stars dealt out by chance do as well. */
  chance: number | null;
  /** [ratings, correlation on new shoots] */
  curve: [number, number][] | null;
  judged_ratings: number | null;
  scored_at: string | null;
  created_at: string;
}

/** web/reasons.py */
interface Reasons {
  score: number;
  sum: number;
  mean: number;
  tentative: boolean;
  parts: { item: Item; stars: number; points: number }[];
  others: { count: number; points: number };
  in_words: { parts: { word: string; points: number }[]; rest: number } | null;
}

/** web/taste_report.py */
interface Taste {
  ratings: number;
  model: TasteModel | null;
  threshold: string;
  cut: number;
  matches_at: number[];
  /** By cut: [rated photographs that would match, those of them with 4 or 5 stars]. */
  tried_at: [number, number][];
  liked_share: number | null;
  witness: Record<"random" | "all", { guesses: number; rank_correlation: number | null }>;
  ratings_to_go: number | null;
  disagreements: { item: Item; stars: number; predicted: number }[];
}

interface Progress {
  photos: Record<string, number>;
  stages: Record<string, StageState>;
  imports: ImportState[];
  encoder: { name: string; dim: number; building: string | null } | null;
  taste: { ratings: number; model: TasteModel | null };
  tabs: Record<string, number>;
  workers: Record<string, number>;
}

interface HistoryChange {
  photo_id: number;
  field: string;
  old: unknown;
  new: unknown;
  filename?: string;
  thumb_url?: string | null;
}

interface HistoryAction {
  id: number;
  action_id: string;
  at: string;
  photos: number;
  undone: boolean;
  undoes: string | null;
  session: string | null;
  source: string;
  changes: HistoryChange[];
}

interface Project {
  name: string;
  photos: number;
  cover_id: number | null;
  cover_url: string | null;
}

type BurstIntent = "bracket" | "focus_stack" | "panorama";
type BurstState = "open" | "kept" | "whole" | "intended";

interface BurstTotals extends Record<BurstState, number> {
  groups: number;
  frames: number;
  ties: number;
  rest: number;
  /** Of the rest. */
  liked: number;
}

/** What a search found, or would find. */
interface BurstCounts {
  groups: number;
  photos: number;
  ties: number;
  brackets: number;
  focus_stacks: number;
  panoramas: number;
  threshold: number;
  gap_s: number;
}

interface Caption {
  id: number;
  filename: string;
  thumb_url: string | null;
}

/** A frame of a plan. `liked`: picked or with four or five stars, and not rejected with the rest. */
interface PlannedFrame extends Caption {
  user_rating: number | null;
  manual_match: boolean;
  liked: boolean;
}

interface BurstPlan {
  items: { id: number; best: PlannedFrame; rest: PlannedFrame[] }[];
  next_after: number | null;
  groups: number;
  rest: number;
  /** Of the rest. */
  liked: number;
  ties: number;
  intended: number;
}

interface BurstGroup {
  id: number;
  state: BurstState;
  intent: BurstIntent | null;
  tie: boolean;
  keeper_id: number | null;
  photos: Item[];
}

/** Photographs with the same pixels, or a stack of versions with the one in front first. */
interface DuplicateGroup {
  id: number;
  kind: "same_pixels" | "versions";
  photos: Item[];
  keep_id?: number;
  rejectable?: number[];
  reasons?: string[];
}

interface Facet {
  value: string | number;
  label?: string;
  count: number;
}

interface Facets {
  ranges: Record<string, [number, number] | null>;
  [facet: string]: Facet[] | Record<string, [number, number] | null>;
}
