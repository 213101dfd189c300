export type { CapturedGraph, Dim, GraphPort, GraphType } from "./graph.ts";
