import Kernels

/// How the weights of one part will lie in memory, and from which tensors of the checkpoint they come.
public struct PackedPlan: Sendable {
    public let part: PackedPart
    public let sections: [PackedSection]
    /// Bytes of all sections, padding included; a multiple of 64.
    public let byteCount: Int

    /// The checkpoint, for messages.
    let checkpointPath: String
    /// One for each section.
    let views: [TensorView]
    /// What is here of the checkpoint's files; nil when they are whole.
    let fetched: FetchedModel?

    /// Throws `CheckpointError` (`notFetched`) when weights of the part are not here: in their place are zeros.
    func checkFetched() throws(CheckpointError) {
        guard let fetched else { return }
        for view in views where !view.slices.allSatisfy(fetched.holds) {
            throw CheckpointError(
                code: .notFetched, path: checkpointPath,
                message: "tensor \(quoted(view.name)) has not been fetched, or not whole; start the worker again")
        }
    }

    /// The section of a tensor; nil when the part has none.
    func section(_ tensor: PackedTensor) -> PackedSection? { sections.first { $0.tensor == tensor } }

    /// Asks the kernel to read the checkpoint's bytes ahead.
    public func adviseWillNeed() {
        for view in views { view.adviseWillNeed() }
    }
}

extension Checkpoint {
    /// Plans the memory of a part.
    ///
    /// - Throws: `CheckpointError` naming a tensor that is missing or cannot be computed with.
    public func packedPlan(of part: PackedPart) throws(CheckpointError) -> PackedPlan {
        var sections: [PackedSection] = []
        var views: [TensorView] = []
        for (tensor, layout, view) in try tensors(of: part) {
            let format = layout == .floats ? .f32 : try format(of: view)
            do throws(KernelsError) {
                sections.append(
                    try PackedSection(
                        tensor: tensor, layout: layout, format: format, rows: view.rows, columns: view.columns,
                        offset: sections.last?.end ?? 0))
                views.append(view)
            } catch {
                throw .unsupported(path, "tensor \(quoted(view.name)): \(error.message)")
            }
        }
        return PackedPlan(
            part: part, sections: sections, byteCount: sections.last?.end ?? 0, checkpointPath: path, views: views,
            fetched: fetched)
    }

    private func tensors(
        of part: PackedPart
    ) throws(CheckpointError) -> [(PackedTensor, PackedSection.Layout, TensorView)] {
        switch part {
        case .embedding:
            [(.embedding, .rows, try tensor(.tokenEmbedding))]
        case .layer(let index):
            [
                (.attentionNorm, .floats, try tensor(.layer(index, .attentionNorm))),
                (.queryKeyValue, .panels, try tensor(.layer(index, .qkv))),
                (.attentionOutput, .panels, try tensor(.layer(index, .attentionOutput))),
                (.feedForwardNorm, .floats, try tensor(.layer(index, .ffnNorm))),
                (.gateUp, .panels, try tensor(.layer(index, .gateUp))),
                (.down, .panels, try tensor(.layer(index, .ffnDown))),
            ]
        case .head:
            [(.outputNorm, .floats, try tensor(.outputNorm)), (.head, .panels, try outputHead())]
        }
    }

    private func format(of view: TensorView) throws(CheckpointError) -> WeightFormat {
        guard let type = view.type else {
            throw .unsupported(
                path,
                "the parts of tensor \(quoted(view.name)) have different types; convert the model again with one type "
                    + "per matrix")
        }
        guard let format = WeightFormat(ggmlType: type.rawValue) else {
            throw .unsupported(path, "tensor \(quoted(view.name)) is \(type.name), which cannot be computed with")
        }
        return format
    }
}
