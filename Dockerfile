# A server that needs 300 MB: featurestore with the packages of requirements/serve.txt. The project is mounted.
#
#   docker build --tag features .
#   docker run --publish 8080:8080 --volume "$PWD:/project" features
FROM python:3.13-slim AS wheel
COPY pyproject.toml README.md LICENSE /source/
COPY featurestore /source/featurestore
RUN pip wheel --no-deps --wheel-dir /wheels /source

FROM python:3.13-slim
COPY requirements/serve.txt /
RUN pip install --no-cache-dir --no-deps --require-hashes -r /serve.txt
RUN --mount=from=wheel,source=/wheels,target=/wheels pip install --no-cache-dir --no-deps /wheels/*.whl
WORKDIR /project
# Other machines need a key: `featurestore key add NAME`, in the project.
CMD ["featurestore", "serve", "--host", "0.0.0.0", "--port", "8080"]
