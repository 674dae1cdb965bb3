export declare function bundle(dist: string): Promise<void>
