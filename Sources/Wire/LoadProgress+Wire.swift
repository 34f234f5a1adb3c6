import CWire
import Inference

extension LoadProgress {
    init(wire pointer: UnsafeMutablePointer<Phalanx__V1__LoadState>) throws(WireError) {
        let message = unsafe pointer.pointee
        self.init(
            activity: try Activity(wire: unsafe message.activity),
            doneByteCount: try WireReader.count(unsafe message.done_byte_count, "LoadState.done_byte_count"),
            totalByteCount: try WireReader.count(unsafe message.total_byte_count, "LoadState.total_byte_count"))
    }
}

extension WireArena {
    func loadState(_ progress: LoadProgress) -> UnsafeMutablePointer<Phalanx__V1__LoadState> {
        let message = unsafe make(phalanx__v1__load_state__init)
        unsafe message.pointee.activity = progress.activity.wire
        unsafe message.pointee.done_byte_count = UInt64(clamping: progress.doneByteCount)
        unsafe message.pointee.total_byte_count = UInt64(clamping: progress.totalByteCount)
        return unsafe message
    }
}

extension LoadProgress.Activity {
    fileprivate init(wire activity: Phalanx__V1__LoadActivity) throws(WireError) {
        switch activity {
        case PHALANX__V1__LOAD_ACTIVITY__LOAD_ACTIVITY_PACKING: self = .packing
        case PHALANX__V1__LOAD_ACTIVITY__LOAD_ACTIVITY_READING_CACHE: self = .readingCache
        case PHALANX__V1__LOAD_ACTIVITY__LOAD_ACTIVITY_COMPARING: self = .comparing
        case PHALANX__V1__LOAD_ACTIVITY__LOAD_ACTIVITY_HASHING: self = .hashing
        case PHALANX__V1__LOAD_ACTIVITY__LOAD_ACTIVITY_FETCHING: self = .fetching
        default: throw WireError("LoadState.activity", "\(activity.rawValue) is not known")
        }
    }

    fileprivate var wire: Phalanx__V1__LoadActivity {
        switch self {
        case .packing: PHALANX__V1__LOAD_ACTIVITY__LOAD_ACTIVITY_PACKING
        case .readingCache: PHALANX__V1__LOAD_ACTIVITY__LOAD_ACTIVITY_READING_CACHE
        case .comparing: PHALANX__V1__LOAD_ACTIVITY__LOAD_ACTIVITY_COMPARING
        case .hashing: PHALANX__V1__LOAD_ACTIVITY__LOAD_ACTIVITY_HASHING
        case .fetching: PHALANX__V1__LOAD_ACTIVITY__LOAD_ACTIVITY_FETCHING
        }
    }
}
