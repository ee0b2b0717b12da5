export {
  advanceRun,
  type LoadProgress,
  loadCounts,
  RunReplay,
  type RunState,
  runStateAt,
  summaryInterval,
} from "./run-state.ts";
export { RunWriter } from "./run-writer.ts";
