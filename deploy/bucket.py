"""Create the bucket on the S3 server of the compose file, unless it exists."""

import os
import sys
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError


def main() -> int:
    bucket = os.environ.get("AWS_STORAGE_BUCKET_NAME")
    if not bucket:
        print("bucket: AWS_STORAGE_BUCKET_NAME is not set, so files stay in the volume; set it in .env, e.g. to atrium")
        return 0
    env = Path(os.environ["ATRIUM_HOME"], "env")
    for line in env.read_text().splitlines() if env.exists() else []:
        os.environ.setdefault(*line.split("=", 1))
    s3 = boto3.client(
        "s3",
        endpoint_url=os.environ["AWS_S3_ENDPOINT_URL"],
        region_name=os.environ["AWS_S3_REGION_NAME"],
        config=Config(s3={"addressing_style": "path"}, connect_timeout=5, read_timeout=10, retries={"max_attempts": 5}),
    )
    try:
        s3.create_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
            print(f"bucket: the S3 server refuses to create {bucket}: {error}")
            return 1
    print(f"bucket: {bucket} exists")
    return 0


if __name__ == "__main__":
    sys.exit(main())
