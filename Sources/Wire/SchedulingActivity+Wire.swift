import CWire
import Inference

extension SchedulingActivity {
    init(wire pointer: UnsafeMutablePointer<Phalanx__V1__SchedulingActivity>) throws(WireError) {
        let message = unsafe pointer.pointee
        let field = "SchedulingActivity"
        self.init(
            pageCount: try WireReader.count(unsafe message.page_count, "\(field).page_count"),
            usedPageCount: try WireReader.count(unsafe message.used_page_count, "\(field).used_page_count"),
            cachedPageCount: try WireReader.count(unsafe message.cached_page_count, "\(field).cached_page_count"),
            lookedUpTokenCount: try WireReader.count(
                unsafe message.looked_up_token_count, "\(field).looked_up_token_count"),
            hitTokenCount: try WireReader.count(unsafe message.hit_token_count, "\(field).hit_token_count"),
            preemptionCount: try WireReader.count(unsafe message.preemption_count, "\(field).preemption_count"),
            stepCount: try WireReader.count(unsafe message.step_count, "\(field).step_count"),
            rowCount: try WireReader.count(unsafe message.row_count, "\(field).row_count"),
            microBatchCount: try WireReader.count(unsafe message.micro_batch_count, "\(field).micro_batch_count"),
            turnaround: try unsafe LatencySummary(
                wire: WireReader.required(message.turnaround, "\(field).turnaround")))
    }
}

extension LatencySummary {
    fileprivate init(wire pointer: UnsafeMutablePointer<Phalanx__V1__LatencySummary>) throws(WireError) {
        let message = unsafe pointer.pointee
        let field = "LatencySummary"
        self.init(
            count: try WireReader.count(unsafe message.count, "\(field).count"),
            medianMicroseconds: try WireReader.finite(
                unsafe message.median_microseconds, "\(field).median_microseconds"),
            p99Microseconds: try WireReader.finite(unsafe message.p99_microseconds, "\(field).p99_microseconds"),
            mostMicroseconds: try WireReader.finite(unsafe message.most_microseconds, "\(field).most_microseconds"),
            totalMicroseconds: try WireReader.finite(
                unsafe message.total_microseconds, "\(field).total_microseconds"))
    }
}

extension WireArena {
    func schedulingActivity(
        _ activity: SchedulingActivity
    ) -> UnsafeMutablePointer<Phalanx__V1__SchedulingActivity> {
        let message = unsafe make(phalanx__v1__scheduling_activity__init)
        unsafe message.pointee.page_count = UInt64(clamping: activity.pageCount)
        unsafe message.pointee.used_page_count = UInt64(clamping: activity.usedPageCount)
        unsafe message.pointee.cached_page_count = UInt64(clamping: activity.cachedPageCount)
        unsafe message.pointee.looked_up_token_count = UInt64(clamping: activity.lookedUpTokenCount)
        unsafe message.pointee.hit_token_count = UInt64(clamping: activity.hitTokenCount)
        unsafe message.pointee.preemption_count = UInt64(clamping: activity.preemptionCount)
        unsafe message.pointee.step_count = UInt64(clamping: activity.stepCount)
        unsafe message.pointee.row_count = UInt64(clamping: activity.rowCount)
        unsafe message.pointee.micro_batch_count = UInt64(clamping: activity.microBatchCount)
        let turnaround = unsafe make(phalanx__v1__latency_summary__init)
        unsafe turnaround.pointee.count = UInt64(clamping: activity.turnaround.count)
        unsafe turnaround.pointee.median_microseconds = activity.turnaround.medianMicroseconds
        unsafe turnaround.pointee.p99_microseconds = activity.turnaround.p99Microseconds
        unsafe turnaround.pointee.most_microseconds = activity.turnaround.mostMicroseconds
        unsafe turnaround.pointee.total_microseconds = activity.turnaround.totalMicroseconds
        unsafe message.pointee.turnaround = unsafe turnaround
        return unsafe message
    }
}
