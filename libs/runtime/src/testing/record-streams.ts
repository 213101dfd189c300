import type { Channel } from "nice-grpc";

/** The paths of the streams that are opened on the channel from now on, the first one first. */
export function recordStreams(channel: Channel): readonly string[] {
  const paths: string[] = [];
  const createCall = channel.createCall.bind(channel);
  channel.createCall = (path, ...rest) => {
    paths.push(path);
    return createCall(path, ...rest);
  };
  return paths;
}
