/** `npm run proto:lint`: buf's STANDARD rules on our contracts, and a comment on everything in them. */
import { runBuf } from "./buf.mjs";
import { layOutProtoImports } from "./proto-imports.mjs";

layOutProtoImports();
await runBuf("lint");
