/**
 * The parts of the AWS SDK that are used. Required, not imported: for an import Node looks through all files of a CommonJS
 * package for the names that it exports, which takes longer than to run them.
 */
import { createRequire } from 'node:module'
import type * as clientS3 from '@aws-sdk/client-s3'
import type * as credentialProvider from '@aws-sdk/credential-provider-node'
import type * as config from '@smithy/core/config'
import type * as nodeHttpHandler from '@smithy/node-http-handler'
import type * as signatureV4 from '@smithy/signature-v4'

const require = createRequire(import.meta.url)

export const {
  S3Client,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
}: typeof clientS3 = require('@aws-sdk/client-s3')
export const { defaultProvider }: typeof credentialProvider = require('@aws-sdk/credential-provider-node')
export const { loadSharedConfigFiles }: typeof config = require('@smithy/core/config')
export const { NodeHttpHandler }: typeof nodeHttpHandler = require('@smithy/node-http-handler')
export const { SignatureV4 }: typeof signatureV4 = require('@smithy/signature-v4')
