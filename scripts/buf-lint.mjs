/** `npm run proto:lint`: buf's STANDARD rules and comments on our contracts, and its formatter on every proto we wrote. */
import { runBuf } from "./buf.mjs";
import { layOutProtoImports } from "./proto-imports.mjs";

layOutProtoImports();
await runBuf("lint");
