/// The description of all routes, which lies beside this file.
enum OpenAPIDocument {
    static let bytes = PackageResources.openapi_json
}
