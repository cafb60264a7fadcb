export { readImage } from './reader.ts';
export type { ImageInfo, ImageRequest, WrittenImage } from './types.ts';
export { type VerifyOptions, verifyImage } from './verify.ts';
export { writeImage } from './writer.ts';
