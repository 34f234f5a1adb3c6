import Inference
import Synchronization
import Terminal

/// The bar of one worker that loads its layers.
final class LoadingDisplay: Sendable {
    private let bar: ProgressBar
    private let state = Mutex<(loading: LoadingBar, layers: LayerRange)?>(nil)
    private let began = ContinuousClock.now

    init(isSilent: Bool) { bar = ProgressBar(isSilent: isSilent) }

    /// Shows the bar, and removes it when all is loaded.
    @Sendable func show(_ progress: LoadProgress, _ layers: LayerRange) {
        let now = (ContinuousClock.now - began).seconds
        let line = state.withLock { state in
            var loading = state?.loading ?? LoadingBar(nowSeconds: now)
            // A new assignment begins at 0.
            if progress.doneByteCount == 0 || state?.layers != layers { loading = LoadingBar(nowSeconds: now) }
            state = (loading, layers)
            return loading.line(for: progress, layerCount: layers.count, nowSeconds: now)
        }
        bar.show(line.label, detail: line.detail, fraction: line.fraction)
        if progress.doneByteCount >= progress.totalByteCount { bar.clear() }
    }
}
